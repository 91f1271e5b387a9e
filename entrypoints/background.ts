import { defineBackground } from 'wxt/utils/define-background';
import { startBackground } from '../src/device/background.ts';

export default defineBackground(startBackground);

import { extensionHost } from '../../src/ui/extensionHost.ts';
import { mount } from '../../src/ui/mount.tsx';
import { SafetyPage } from '../../src/ui/safety/page.tsx';

mount(extensionHost, (client) => <SafetyPage client={client} host={extensionHost} />);

import { extensionHost } from '../../src/ui/extensionHost.ts';
import { mount } from '../../src/ui/mount.tsx';
import { Popup } from '../../src/ui/popup/popup.tsx';

mount(extensionHost, (client) => <Popup client={client} host={extensionHost} />);

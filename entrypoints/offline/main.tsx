import { extensionHost } from '../../src/ui/extensionHost.ts';
import { mount } from '../../src/ui/mount.tsx';
import { OfflinePage } from '../../src/ui/offline/page.tsx';

mount(extensionHost, (client) => <OfflinePage client={client} host={extensionHost} />);

/** New shares on demand. By schedule they come without being asked for. */
import type { Handlers, Inside } from './subject.ts';

export function shareHandlers(inside: Inside): Handlers<'refreshShares'> {
  return {
    refreshShares: async () => {
      const { refresher } = await inside.unlocked();
      await inside.reach(() => refresher.refresh());
      return null;
    },
  };
}

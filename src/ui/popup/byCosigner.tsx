/** A signed payment that the user's own server has not taken, or took and did not pass on: the press by which the cosigner sends it after all. */
import { useCall } from '../device.tsx';
import { FailureNotice } from '../parts/notice.tsx';

export function ByCosigner({ request }: { request: string }) {
  const send = useCall('sendThrough');
  return (
    <>
      {send.error !== null && <FailureNotice failure={send.error} />}
      <button
        type="button"
        class="btn btn--second"
        aria-disabled={send.busy}
        onClick={() => void (send.busy || send.run({ request, url: null }))}
      >
        {send.busy ? 'Sending…' : 'Send by the cosigner instead'}
      </button>
      <p class="caption centred">The network then sees it come from your cosigner’s node.</p>
    </>
  );
}

/** What a camera reads off another screen, code by code: a button, the picture while it looks, and words where there is none. */
import { useEffect, useRef, useState } from 'preact/hooks';
import decodeQR from 'qr/decode.js';
import { Icon } from './icon.tsx';
import { Notice } from './notice.tsx';

/** Twice as often as codes take turns. */
const LOOK_MS = 120;

export interface Scanner {
  /** Turns the camera on and off. */
  readonly button: preact.JSX.Element;
  /** What it sees, or why it sees nothing. */
  readonly view: preact.JSX.Element | null;
  readonly looking: boolean;
  stop(): void;
}

/** `onText` hears every code for as long as it is seen. `instead`: what to do without a camera. */
export function useScanner(onText: (text: string) => void, instead: string): Scanner {
  const [state, setState] = useState<'off' | 'on' | 'none' | 'refused'>('off');
  const scanning = state === 'on';
  const button = (
    <button
      type="button"
      class="btn btn--second btn--sm"
      aria-pressed={scanning}
      onClick={() => setState(scanning ? 'off' : 'on')}
    >
      <Icon name="eye" /> {scanning ? 'Stop the camera' : 'Scan with the camera'}
    </button>
  );
  const view = scanning ? (
    <Camera onText={onText} onNone={(refused) => setState(refused ? 'refused' : 'none')} />
  ) : state === 'off' ? null : (
    <Notice tone="caution" icon="alert">
      <b>{state === 'refused' ? 'This page may not use the camera.' : 'No camera can be used here.'}</b>{' '}
      {instead}
    </Notice>
  );
  return { button, view, looking: scanning, stop: () => setState('off') };
}

function Camera({ onText, onNone }: { onText: (text: string) => void; onNone: (refused: boolean) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const latest = useRef({ onText, onNone });
  latest.current = { onText, onNone };
  useEffect(() => {
    let stream: MediaStream | null = null;
    let ended = false;
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const look = () => {
      const { current: player } = video;
      if (player === null || context === null || player.videoWidth === 0) return;
      canvas.width = player.videoWidth;
      canvas.height = player.videoHeight;
      context.drawImage(player, 0, 0);
      try {
        latest.current.onText(decodeQR(context.getImageData(0, 0, canvas.width, canvas.height)));
      } catch {
        // No code in this frame.
      }
    };
    const start = async () => {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'environment', width: { ideal: 1280 } },
      });
      if (ended || video.current === null) return stop();
      video.current.srcObject = stream;
      await video.current.play();
    };
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    start().catch((e: unknown) => latest.current.onNone((e as DOMException).name === 'NotAllowedError'));
    const timer = setInterval(look, LOOK_MS);
    return () => {
      ended = true;
      clearInterval(timer);
      stop();
    };
  }, []);
  return <video class="camera" ref={video} muted playsInline aria-label="What the camera sees" />;
}

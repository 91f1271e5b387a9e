/** A message on its way into this page: by camera, file or paste. */
import { useEffect, useRef, useState } from 'preact/hooks';
import decodeQR from 'qr/decode.js';
import type { OfflineMessage } from '../../protocol/offline.ts';
import { OfflineReader } from '../../protocol/offlineText.ts';
import { failureOf } from '../device.tsx';
import { Icon } from '../parts/icon.tsx';
import { FieldError, Notice } from '../parts/notice.tsx';

/** Twice as often as codes take turns. */
const LOOK_MS = 120;

export function ReadMessage({
  label,
  onMessage,
}: {
  /** What is awaited. */
  label: string;
  onMessage: (message: OfflineMessage) => void;
}) {
  const reader = useRef(new OfflineReader());
  const [progress, setProgress] = useState<{ have: number; parts: number } | null>(null);
  const [bad, setBad] = useState<string | null>(null);
  const [scanning, setScanning] = useState(false);
  const [noCamera, setNoCamera] = useState(false);
  const [typed, setTyped] = useState('');
  const file = useRef<HTMLInputElement>(null);
  const said = useRef(onMessage);
  said.current = onMessage;

  /** Whether it was a part of a message, whole or not. */
  const push = (text: string): boolean => {
    try {
      const { have, parts, message } = reader.current.push(text);
      setBad(null);
      setProgress({ have, parts });
      if (message !== null) {
        setScanning(false);
        setTyped('');
        said.current(message);
      }
      return true;
    } catch (e) {
      setBad(failureOf(e).code === 'TooLarge' ? 'This is larger than any message.' : NO_MESSAGE);
      return false;
    }
  };
  const paste = (text: string) => {
    setTyped(text);
    setBad(null);
    if (text.trim() !== '' && push(text)) setTyped('');
  };
  const open = async (chosen: File | undefined) => {
    if (chosen === undefined) return;
    push(chosen.size > FILE_MAX ? '' : await chosen.text());
    if (file.current !== null) file.current.value = '';
  };
  return (
    <section class="card stack offline-message" aria-label={label}>
      <b class="strong">{label}</b>
      {scanning ? (
        <Camera
          onText={(text) => {
            if (!push(text)) setBad(null);
          }}
          onNone={() => {
            setScanning(false);
            setNoCamera(true);
          }}
        />
      ) : null}
      {progress !== null && progress.parts > 1 && progress.have < progress.parts && (
        <p class="small" role="status">
          {progress.have} of {progress.parts} parts read.
        </p>
      )}
      {noCamera && (
        <Notice tone="caution" icon="alert">
          <b>No camera can be used here.</b> Open a file or paste the text.
        </Notice>
      )}
      <div class="cluster">
        <button
          type="button"
          class="btn btn--second btn--sm"
          aria-pressed={scanning}
          onClick={() => {
            setNoCamera(false);
            setScanning(!scanning);
          }}
        >
          <Icon name="eye" /> {scanning ? 'Stop the camera' : 'Scan with the camera'}
        </button>
        <label class="btn btn--second btn--sm offline-file">
          <Icon name="save" /> Open a file
          <input
            ref={file}
            type="file"
            class="visually-hidden"
            onChange={(event) => void open(event.currentTarget.files?.[0])}
          />
        </label>
      </div>
      <div class="field">
        <label class="field__label" for="offline-text">
          Or paste the text
        </label>
        <div class={bad === null ? 'input' : 'input input--bad'}>
          <input
            id="offline-text"
            class="code"
            value={typed}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            placeholder="HOARFROST:"
            aria-invalid={bad !== null}
            aria-describedby={bad === null ? undefined : 'offline-error'}
            onInput={(event) => paste(event.currentTarget.value)}
          />
        </div>
        {bad !== null && <FieldError id="offline-error">{bad}</FieldError>}
      </div>
    </section>
  );
}

const NO_MESSAGE = 'This is no message of Hoarfrost, or part of it is missing. Take it across again.';
/** No message is larger as text; asked before a file is read at all. */
const FILE_MAX = 8 << 20;

function Camera({ onText, onNone }: { onText: (text: string) => void; onNone: () => void }) {
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
    start().catch(() => latest.current.onNone());
    const timer = setInterval(look, LOOK_MS);
    return () => {
      ended = true;
      clearInterval(timer);
      stop();
    };
  }, []);
  return <video class="offline-camera" ref={video} muted playsInline aria-label="What the camera sees" />;
}

// A voice note on its way: each second of it goes up while the next one is spoken, so that its end takes a moment.

import { Growing } from '@barrage/client/media';

/** Longest voice note: 2 MB at this rate, far below the 16 MiB that a server reserves. */
const LENGTH_MS_MAX = 300_000;
const BITS_PER_SEC = 48_000;
/** Time after which the recorder gives what it has. */
const PIECE_MS = 1_000;
/** Forms that the server takes as a sound, the best known first. */
const TYPES = ['audio/webm;codecs=opus', 'audio/mp4', 'audio/ogg;codecs=opus'];

/** Whether this browser can record. A page without a secure context cannot. */
export function canRecord(): boolean {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  return mediaDevices !== undefined && typeof MediaRecorder === 'function' && typeOf() !== undefined;
}

function typeOf(): string | undefined {
  return TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

export class Recorder {
  readonly bytes: Growing;
  #recorder: MediaRecorder;
  #startedMs = performance.now();
  #end: ReturnType<typeof setTimeout>;

  private constructor(
    private readonly stream: MediaStream,
    type: string,
    ended: () => void,
  ) {
    this.bytes = new Growing(type);
    this.#recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_PER_SEC });
    this.#recorder.addEventListener('dataavailable', ({ data }) => this.bytes.push(data));
    // Also where the microphone is taken away.
    this.#recorder.addEventListener('stop', () => {
      this.bytes.end();
      this.stop();
      ended();
    });
    this.#recorder.start(PIECE_MS);
    this.#end = setTimeout(() => this.stop(), LENGTH_MS_MAX);
  }

  /** Asks for the microphone and begins. Rejects where the user or the system gives none. */
  static async begin(ended: () => void): Promise<Recorder> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    return new Recorder(stream, typeOf() ?? '', ended);
  }

  get secs(): number {
    return Math.floor((performance.now() - this.#startedMs) / 1_000);
  }

  /** Ends the note. The last piece of it comes a moment later. */
  stop(): void {
    clearTimeout(this.#end);
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
    for (const track of this.stream.getTracks()) track.stop();
  }
}

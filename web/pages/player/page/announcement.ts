// A sentence of the platform or a warning over the stage, for some seconds.

const SHOWN_MS = 12_000;

export class Announcement {
  #timer: number | undefined;

  constructor(private readonly place: HTMLElement) {}

  show(text: string): void {
    this.place.textContent = text;
    this.place.hidden = text === '';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.place.hidden = true;
    }, SHOWN_MS);
  }
}

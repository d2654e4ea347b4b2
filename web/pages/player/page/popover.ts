// A panel that a button opens above the text box: Escape and a click elsewhere close it.

export class Popover {
  constructor(
    readonly button: HTMLElement,
    readonly panel: HTMLElement,
    private readonly opened: () => void = () => {},
  ) {
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => this.toggle());
    for (const part of [button, panel]) {
      part.addEventListener('keydown', (event) => {
        if (event.key !== 'Escape' || panel.hidden) return;
        event.preventDefault();
        this.close();
        button.focus();
      });
    }
    document.addEventListener('pointerdown', (event) => {
      const target = event.target as Node;
      if (!panel.contains(target) && !button.contains(target)) this.close();
    });
  }

  toggle(): void {
    if (this.panel.hidden) this.open();
    else this.close();
  }

  open(): void {
    this.panel.hidden = false;
    this.button.setAttribute('aria-expanded', 'true');
    this.opened();
  }

  close(): void {
    this.panel.hidden = true;
    this.button.setAttribute('aria-expanded', 'false');
  }
}

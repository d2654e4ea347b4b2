// Events of OBS: a browser source is told when it goes on the air or leaves it.

interface Activity {
  pause(): void;
  play(): void;
}

/** Pauses the view while OBS does not show the source. Outside of OBS the events never come. */
export function followObs(target: EventTarget, view: Activity): void {
  target.addEventListener('obsSourceActiveChanged', (event) => {
    const { active } = ((event as CustomEvent<unknown>).detail ?? {}) as { active?: unknown };
    if (active === false) view.pause();
    else if (active === true) view.play();
  });
}

// The newest figures of each series, in memory alone and bounded, for sparklines.

/** Figures of one series: three minutes at one figure in 1.5 s. */
const FIGURES_MAX = 120;
/** Series at most; the longest unused ones are dropped. */
const SERIES_MAX = 400;

const WIDTH = 96;
const HEIGHT = 24;

export class Rings {
  readonly #series = new Map<string, number[]>();

  add(name: string, figure: number): void {
    const ring = this.#series.get(name) ?? [];
    ring.push(figure);
    if (ring.length > FIGURES_MAX) ring.shift();
    // The map keeps insertion order: the first name is the longest unused one.
    this.#series.delete(name);
    this.#series.set(name, ring);
    if (this.#series.size > SERIES_MAX) this.#series.delete(this.#series.keys().next().value as string);
  }

  get(name: string): readonly number[] {
    return this.#series.get(name) ?? [];
  }
}

/** Draws a series into the SVG element. The line is decoration: the figure stands beside it. */
export function drawSpark(svg: SVGElement, figures: readonly number[]): void {
  const max = Math.max(...figures, 1e-9);
  const step = WIDTH / (FIGURES_MAX - 1);
  const left = WIDTH - step * (figures.length - 1);
  const points = figures.map((figure, index) => `${(left + step * index).toFixed(1)},${(HEIGHT - 2 - (figure / max) * (HEIGHT - 4)).toFixed(1)}`);
  svg.querySelector('polyline')?.setAttribute('points', points.join(' '));
}

export function spark(): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'polyline'));
  return svg;
}

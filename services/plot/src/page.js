'use strict';
// A pointer over any plot shows the values at that place of the x axis in all plots.
const plots = [...document.querySelectorAll('.plot')].map((plot) => {
  const svg = plot.querySelector('svg');
  const lines = [...svg.querySelectorAll('.line')];
  return {
    svg,
    cursor: svg.querySelector('.cursor'),
    xs: svg.dataset.xs === '' ? [] : svg.dataset.xs.split('|').map(Number),
    // The key lists the lines in the reverse of the order in which they are drawn.
    values: lines.map((line) => line.dataset.values.split('|')).reverse(),
    outputs: [...plot.querySelectorAll('output')],
  };
});
function nearest(xs, at) {
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= at) low = middle; else high = middle;
  }
  return at - xs[low] < xs[high] - at ? low : high;
}
function show(at) {
  for (const { svg, cursor, xs, values, outputs } of plots) {
    const { left, right, end } = svg.dataset;
    const within = at !== null && xs.length > 0 && at <= xs[xs.length - 1];
    const n = within ? nearest(xs, at) : 0;
    const x = Number(left) + (within ? xs[n] / end : 0) * (right - left);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    cursor.style.visibility = within ? 'visible' : 'hidden';
    outputs.forEach((output, line) => { output.value = within ? values[line]?.[n] ?? '' : ''; });
  }
}
for (const { svg } of plots) {
  svg.addEventListener('pointermove', (event) => {
    const { left, right, end } = svg.dataset;
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    show(Math.min(1, Math.max(0, (x - left) / (right - left))) * end);
  });
  svg.addEventListener('pointerleave', () => show(null));
}

'use strict';
// A pointer over any plot shows that second's values in all of them.
const plots = [...document.querySelectorAll('.plot')].map((plot) => {
  const svg = plot.querySelector('svg');
  return {
    svg,
    cursor: svg.querySelector('.cursor'),
    // In the order of the key: they are drawn the other way round.
    values: [...svg.querySelectorAll('.line')].map((line) => line.dataset.values.split('|')).reverse(),
    outputs: [...plot.querySelectorAll('output')],
  };
});
function show(second) {
  for (const { svg, cursor, values, outputs } of plots) {
    const { left, right, seconds } = svg.dataset;
    const within = second !== null && second < seconds;
    const x = Number(left) + (second / (seconds - 1)) * (right - left);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    cursor.style.visibility = within ? 'visible' : 'hidden';
    outputs.forEach((output, n) => { output.value = within ? values[n][second] ?? '' : ''; });
  }
}
for (const { svg } of plots) {
  svg.addEventListener('pointermove', (event) => {
    const { left, right, seconds } = svg.dataset;
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const part = Math.min(1, Math.max(0, (x - left) / (right - left)));
    show(Math.round(part * (seconds - 1)));
  });
  svg.addEventListener('pointerleave', () => show(null));
}

// Creates elements. Texts become text nodes: nothing in this package parses markup.

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = name;
  // Parts let the page style what the shadow root hides.
  if (name) made.part.add(...name.split(' '));
  made.append(...children);
  return made;
}

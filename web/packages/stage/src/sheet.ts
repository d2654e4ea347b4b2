// Style of the stage's elements, as a constructed sheet: it needs no file of the page, works in shadow
// roots, and no content security policy forbids it.

import { EMOTE_EM, PADDING_PX, TAG_EM, TIMES_EM, TIMES_PX, WEIGHT } from './layout.ts';

const RULES = `
.barrage-stage { position: absolute; inset: 0; overflow: hidden; contain: strict; pointer-events: none; }
.barrage-stage canvas { position: absolute; top: 0; left: 0; width: 100%; height: 100%; }
/* A danmaku is out of view, except while its animation moves it. */
.barrage-stage .danmaku { position: absolute; top: 0; left: 0; box-sizing: border-box; transform: translate(-200vw, 0); padding: 0 ${PADDING_PX}px;
  overflow: hidden; white-space: pre; font-weight: ${WEIGHT}; text-shadow: 0 0 3px rgb(0 0 0 / 90%), 0 1px 2px rgb(0 0 0 / 80%); }
.barrage-stage .danmaku.wrapped { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; line-clamp: 2; white-space: normal;
  overflow-wrap: anywhere; }
.barrage-stage .danmaku.dark { text-shadow: 0 0 1px #fff, 0 0 2px #fff, 0 0 5px rgb(255 255 255 / 85%); }
.barrage-stage .danmaku.own { border-radius: 8px; box-shadow: inset 0 0 0 1.5px rgb(255 255 255 / 65%); background: rgb(8 12 22 / 30%); }
.barrage-stage .danmaku.gift { border-radius: 8px; background: rgb(64 44 118 / 62%); }
.barrage-stage .tag { margin-inline-end: 8px; padding: 1px 6px; border-radius: 5px; background: #ffd27a; color: #1b1408; font-size: ${TAG_EM}em;
  text-shadow: none; vertical-align: .18em; }
.barrage-stage .times { margin-inline-start: ${TIMES_PX}px; color: #ffd27a; font-size: ${TIMES_EM}em; font-weight: ${WEIGHT}; font-variant-numeric: tabular-nums; }
.barrage-stage .emote { width: ${EMOTE_EM}em; height: ${EMOTE_EM}em; object-fit: contain; vertical-align: -.25em; }
.barrage-stage .link { color: inherit; text-decoration: underline; pointer-events: auto; }
`;

let sheet: CSSStyleSheet | undefined;

/** Adds the style to the document or shadow root that contains the node, once. */
export function adopt(node: Node): void {
  const root = node.getRootNode();
  const owner = root instanceof ShadowRoot ? root : document;
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(RULES);
  }
  if (!owner.adoptedStyleSheets.includes(sheet)) owner.adoptedStyleSheets = [...owner.adoptedStyleSheets, sheet];
}

// The element's style. It is adopted as a sheet of the shadow root, which a content security policy allows.

const CSS = `
:host { --barrage-ground: #10141e; --barrage-panel: #171c28; --barrage-text: #e9edf5; --barrage-soft: #a3adc2; --barrage-accent: #86aeff; --barrage-gold: #ffd66e;
  display: block; container-type: inline-size; height: 420px; overflow: hidden; border-radius: 12px; background: var(--barrage-ground); color: var(--barrage-text);
  font: 14px/1.45 system-ui, 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif; }
:host([hidden]) { display: none; }
.room { display: flex; flex-direction: column; height: 100%; }
.stage { position: relative; flex: 1 1 56%; min-height: 0; overflow: hidden; background: #05070c; }
.flight { position: absolute; inset: 0; pointer-events: none; }
::slotted(*) { display: block; width: 100%; height: 100%; object-fit: contain; }
.side { position: relative; display: flex; flex-direction: column; flex: 1 1 44%; min-height: 0; background: var(--barrage-panel); }
.list { flex: 1; min-height: 0; margin: 0; padding: 8px 10px; overflow-y: auto; overscroll-behavior: contain; scrollbar-width: thin; }
.list:empty::before { content: attr(data-empty); color: var(--barrage-soft); }
.row { padding: 3px 2px; overflow-wrap: anywhere; }
.name { font-weight: 600; color: hsl(var(--hue, 210) 60% 76%); margin-inline-end: 6px; }
.badge { margin-inline-end: 5px; padding: 0 5px; border-radius: 5px; background: rgb(255 255 255 / 12%); font-size: 11px; font-weight: 600; white-space: nowrap; }
.badge.host, .badge.admin { background: var(--barrage-gold); color: #1b1408; }
.badge.moderator { background: var(--barrage-accent); color: #0d1220; }
.row.gift { color: #f1dcb2; }
.row.super { margin: 5px 0; padding: 6px 9px; border-radius: 8px; background: #2b4280; color: #fff; }
.row.super .name { color: #fff; }
.row.super .words { display: block; }
.amount { float: inline-end; font-weight: 700; }
.row.note, .hint { color: var(--barrage-soft); font-size: 13px; }
.newer { position: absolute; bottom: 62px; left: 50%; translate: -50% 0; padding: 4px 14px; border: 0; border-radius: 14px; background: var(--barrage-accent); color: #0d1220; font: inherit; font-weight: 600; cursor: pointer; }
.status { padding: 6px 10px; background: rgb(120 80 20 / 60%); font-size: 13px; }
.status:empty, .hint:empty { display: none; }
.composer { display: flex; flex-wrap: wrap; gap: 8px; padding: 8px 10px; border-top: 1px solid rgb(255 255 255 / 8%); }
.composer input { flex: 1; min-width: 0; height: 36px; padding: 0 12px; border: 1px solid rgb(255 255 255 / 14%); border-radius: 10px; background: #0b0f17; color: inherit; font: inherit; }
.composer button { height: 36px; padding: 0 16px; border: 0; border-radius: 10px; background: var(--barrage-accent); color: #0d1220; font: inherit; font-weight: 700; cursor: pointer; }
.composer button:disabled { opacity: .5; cursor: default; }
.hint { flex-basis: 100%; }
:is(input, button, .list):focus-visible { outline: 2px solid var(--barrage-accent); outline-offset: 1px; }
[hidden] { display: none !important; }
:host([mode='list']) .stage, :host([mode='danmaku']) .side { display: none; }
@container (min-width: 640px) { .room { flex-direction: row; } .side { flex: 0 0 clamp(240px, 34%, 340px); } .stage { flex: 1; } :host([mode='list']) .side { flex: 1; } }
@media (prefers-reduced-motion: no-preference) { .row { animation: arrive .2s ease-out; } @keyframes arrive { from { opacity: 0; } } }
`;

let sheet: CSSStyleSheet | undefined;

/** Gives the style to a shadow root. All elements of a page share one sheet. */
export function dress(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}

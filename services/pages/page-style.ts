// The style of report.html: readable on light and dark, without a font or a script from anywhere.

export const pageStyle = `
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1d2430; --soft: #5b6472; --rule: #d9dde3;
  --a: #1f6feb; --b: #c2410c; --c: #0f766e; --quiet: #8b95a3; --card: #f4f6f9; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181f; --ink: #e6e9ee; --soft: #a3adba;
  --rule: #333b47; --a: #6ea8fe; --b: #fb923c; --c: #5eead4; --quiet: #77818f; --card: #1d232c; } }
body { margin: 0 auto; padding: 24px 20px 64px; max-width: 960px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 40px 0 4px; }
h3 { font-size: 15px; margin: 18px 0 4px; } p { margin: 4px 0 10px; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
@media (max-width: 560px) { .tiles { grid-template-columns: repeat(2, 1fr); } }
.tile { background: var(--card); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.note { background: var(--card); border-left: 4px solid var(--b); padding: 8px 14px; color: var(--ink); }
.wide { overflow-x: auto; margin: 8px 0 14px; }
summary { cursor: pointer; color: var(--a); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; }
.text { text-align: left; }
svg { width: 100%; min-width: 560px; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.rule { stroke: var(--rule); } .mark { stroke: var(--ink); stroke-dasharray: 4 3; }
.line { fill: none !important; stroke-width: 2; }
.line.a { stroke: var(--a); } .line.b { stroke: var(--b); } .line.c { stroke: var(--c); }
.line.quiet { stroke: var(--quiet); stroke-dasharray: 5 4; }
.a { fill: var(--a); } .b { fill: var(--b); } .c { fill: var(--c); } .quiet { fill: var(--quiet); }
.legend { display: flex; flex-wrap: wrap; gap: 16px; margin: 6px 0 0; font-size: 13px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
i.a { background: var(--a); } i.b { background: var(--b); } i.c { background: var(--c); }
i.quiet { background: var(--quiet); }
`

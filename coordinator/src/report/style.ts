// The report's style sheet: one column that reads on a phone, on a screen light or dark, and on paper.
import { FONT, TONES } from "./charts/theme.ts";

const variables = (scheme: "light" | "dark"): string =>
  Object.entries(TONES)
    .map(([name, tones]) => `--${name}:${tones[scheme]}`)
    .join(";");

export const STYLE: string = `
:root{color-scheme:light dark;${variables("light")}}
@media screen and (prefers-color-scheme:dark){:root{${variables("dark")}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 ${FONT}}
main{max-width:1040px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 12px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:20px;line-height:1.3;margin:48px 0 4px;padding-top:20px;border-top:1px solid var(--edge)}
p{margin:0 0 12px;max-width:75ch;overflow-wrap:anywhere}
.lead{font-size:18px}
.note,figcaption,.unit{color:var(--soft);font-size:14px}
.note{max-width:90ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(172px,1fr));gap:12px;margin:24px 0 0}
.tiles>div{background:var(--panel);border:1px solid var(--edge);border-radius:8px;padding:12px 16px}
.tiles dt{color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.tiles dd{margin:2px 0 0;line-height:1.25;font-size:21px;font-weight:600;font-variant-numeric:tabular-nums}
.tiles dd small{font-size:13px;font-weight:400;color:var(--soft);white-space:nowrap}
.wide{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;width:100%}
caption{text-align:left;color:var(--soft);padding:0 0 8px;caption-side:top}
th,td{padding:7px 12px;text-align:right;border-bottom:1px solid var(--edge);white-space:nowrap;vertical-align:baseline}
th:first-child,th.text,td.text{text-align:left}
th[scope=row],td.text{font-weight:400;max-width:280px;overflow:hidden;text-overflow:ellipsis}
td.problem{text-align:left;color:var(--bad);white-space:normal;min-width:220px;overflow-wrap:anywhere}
thead th{color:var(--soft);font-weight:600;border-bottom:2px solid var(--edge)}
tbody th small{color:var(--soft);margin-left:6px}
td .error{color:var(--soft);font-size:12px;font-weight:400}
tr.group>*{border-top:2px solid var(--edge)}
tr.chosen>*{background:var(--tint)}
tr.chosen th{font-weight:700}
td.best{font-weight:700}
td.unmet,td.unmet .error{color:var(--bad)}
.chance{width:80px;height:8px;margin-right:6px;vertical-align:1px}
.strip{display:inline-block;vertical-align:middle;width:180px;height:16px}
figure{margin:12px 0;overflow-x:auto}
figure svg{display:block;max-width:100%;height:auto}
figure.chart svg{min-width:620px}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(228px,1fr));gap:16px 16px;margin:12px 0}
.panels figure{margin:0}
.panels figcaption{color:var(--ink);font-weight:600;overflow-wrap:anywhere}
.panels figcaption span{font-weight:400;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin:8px 0 0;padding:0;font-size:13px}
.legend svg{width:14px;height:14px;margin-right:6px;vertical-align:-2px}
pre{background:var(--panel);border:1px solid var(--edge);border-radius:8px;padding:14px 16px;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--panel);padding:1px 4px;border-radius:4px}
pre code{background:none;padding:0;font-size:13px}
summary{cursor:pointer;font-weight:600;padding:8px 0}
@media (max-width:640px){main{padding:24px 16px 48px}h1{font-size:24px}.lead{font-size:16px}.tiles{grid-template-columns:1fr 1fr}.tiles dd{font-size:18px}}
@media print{main{max-width:none;padding:0}body{font-size:12px}h2{break-after:avoid}figure,tr,.tiles>div{break-inside:avoid}pre{white-space:pre-wrap}.wide,figure{overflow:visible}th,td{padding:4px 6px}details::details-content{content-visibility:visible;block-size:auto}}
`;

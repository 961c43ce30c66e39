/** Calm, one column, light and dark, from 360 px to A4. Text has at least 4.5:1, marks at least 3:1 against their ground. */
export const style = `
:root{color-scheme:light dark;--bg:#f5f5f1;--card:#fff;--ink:#1b1f24;--soft:#565d66;--line:#dedfda;--track:#e9e9e4;--good:#17724a;--good-bg:#e5f2ea;--bad:#b3261e;--bad-bg:#fbe9e7;--warn:#8a5200;--warn-bg:#fbf0dc;--quiet:#5c646d;--quiet-bg:#ececea;--link:#1f5f99;--wait:#7a5ea8;--fault-c:#b3261e;--restored-c:#17724a;--p1:#8a5200;--p2:#7a5ea8;--p3:#1f6f8b;--p4:#17724a;--p5:#5b7a1d}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e7e9eb;--soft:#a5adb6;--line:#31373d;--track:#2b3137;--good:#62c894;--good-bg:#173325;--bad:#ff8b80;--bad-bg:#40201d;--warn:#eab45a;--warn-bg:#3a2c12;--quiet:#a5adb6;--quiet-bg:#2b3137;--link:#82bdf0;--wait:#b9a0e6;--fault-c:#ff8b80;--restored-c:#62c894;--p1:#eab45a;--p2:#b9a0e6;--p3:#6fc3e0;--p4:#62c894;--p5:#b3d066}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif;font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%;overflow-wrap:break-word}
main{max-width:1020px;margin:0 auto;padding:32px 24px 64px}
h1,h2,h3,p,ul,dl,dd,figure{margin:0;padding:0}
ul{list-style:none}
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.015em;text-wrap:balance}
h2{font-size:19px;font-weight:650;letter-spacing:-.005em;margin-bottom:16px}
h3{font-size:14px;font-weight:650;margin:26px 0 10px}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);outline-offset:3px;border-radius:3px}
a{color:var(--link);text-underline-offset:2px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.86em}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px 26px;margin-top:18px}
section>p+p{margin-top:8px}
code,dd,.says,.reasons p,.gantt th,.gantt td,.evidence p,.files a{overflow-wrap:anywhere}
.facts>*,.evidence li>*,.card{min-width:0}
.verdict{background:var(--card);border:1px solid var(--line);border-top:6px solid var(--c);border-radius:12px;padding:24px 26px 26px}
.good{--c:var(--good);--cb:var(--good-bg)}.bad{--c:var(--bad);--cb:var(--bad-bg)}.warn{--c:var(--warn);--cb:var(--warn-bg)}.quiet{--c:var(--quiet);--cb:var(--quiet-bg)}
.eyebrow{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 16px;color:var(--soft);font-size:13px;margin-bottom:10px}
.outcome{display:flex;flex-wrap:wrap;align-items:center;gap:10px 16px;margin-top:18px}
.outcome b{display:inline-flex;align-items:center;gap:10px;background:var(--cb);color:var(--c);font-size:20px;font-weight:650;line-height:1;padding:10px 18px 10px 10px;border-radius:99px}
.outcome i{display:grid;place-items:center;width:26px;height:26px;border-radius:50%;background:var(--c);color:var(--card);font-size:15px;font-style:normal}
.outcome span{flex:1 1 300px;color:var(--soft)}
.reasons{margin-top:20px;border-top:1px solid var(--line)}
.reasons li{padding:12px 0 0}
.reasons code{color:var(--soft);margin-left:4px}.reasons .where{color:var(--ink)}.reasons p{color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(3,1fr);gap:14px 28px}

dt{color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:1fr 1fr;gap:36px}
.card .name{color:var(--soft)}.card .name b{color:var(--ink);margin-right:4px}
.figure{display:flex;flex-wrap:wrap;align-items:center;gap:4px 14px;margin:4px 0 12px}
.figure>b{font-size:34px;line-height:1.15;font-weight:600;letter-spacing:-.02em}
.tag{display:inline-flex;align-items:center;gap:6px;background:var(--cb);color:var(--c);font-size:13px;font-weight:600;line-height:1;padding:5px 10px 5px 8px;border-radius:99px;white-space:nowrap}
.tag i{font-style:normal}
.share,.why{color:var(--soft);font-size:14px}
.lines{margin-top:14px;font-size:14px}
.lines div{display:flex;justify-content:space-between;gap:16px;padding:6px 0;border-top:1px solid var(--line)}
.lines dt{font-size:14px;min-width:92px}.lines dd{text-align:right}
.scope dt,.digests dt{flex:0 0 176px}.lines.scope dd,.lines.digests dd{flex:1;text-align:left}
svg{display:block;width:100%;overflow:visible}
svg text{font-size:12px;fill:var(--soft)}
.objective{height:46px}.phases{height:18px;border-radius:3px;overflow:hidden}.lane{height:60px}
rect.track{fill:var(--track)}rect.good,rect.bad,rect.warn,rect.quiet{fill:var(--c)}
rect.wait{fill:var(--wait)}rect.outage{fill:var(--bad);opacity:.16}
.phase-detect{fill:var(--p1)}.phase-decide{fill:var(--p2)}.phase-restore{fill:var(--p3)}.phase-cutover{fill:var(--p4)}.phase-verify{fill:var(--p5)}.phase-inject,.phase-prepare{fill:var(--quiet)}
.phases rect+rect{stroke:var(--card);stroke-width:1.5}
line.target{stroke:var(--ink);stroke-width:2}line.mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 2}
line.mark-fault{stroke:var(--fault-c);stroke-width:2}line.mark-restored{stroke:var(--restored-c);stroke-width:2}
.scenario{margin-bottom:18px;max-width:70ch}.scroll+.why,details+.why,ul+.why{margin-top:14px}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin-top:10px;color:var(--soft);font-size:13px}
.legend li{display:flex;align-items:center;gap:7px}.legend svg{flex:none;width:10px;height:10px}.legend b{color:var(--ink);font-weight:600}.legend .dim svg{opacity:.35}.legend .dim b{font-weight:400;color:var(--soft)}
.axis{display:flex;justify-content:space-between;color:var(--soft);font-size:12px;font-weight:400}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;font-weight:400;padding:7px 12px 7px 0}
th[scope=row]{font-weight:600}
thead th{color:var(--soft);font-size:13px;vertical-align:bottom;border-bottom:1px solid var(--line)}
.plain tbody tr{border-bottom:1px solid var(--line)}
.n{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
thead .n{white-space:normal}
.narrow{width:auto;min-width:280px}
.scroll{overflow-x:auto}.scroll table{min-width:800px}
.gantt{table-layout:fixed;margin-top:14px}
.gantt thead th:nth-child(1){width:25%}.gantt thead th:nth-child(3),.gantt thead th:nth-child(4){width:84px}.gantt thead th:nth-child(5){width:19%;padding-left:10px}
.gantt .group>*{padding-top:12px;padding-bottom:3px;color:var(--soft);font-weight:400;font-size:13px}.gantt tbody+tbody .group>*{border-top:1px solid var(--line)}
.gantt .t{padding:0;background:linear-gradient(var(--fault-c),var(--fault-c)) var(--fault) 0/1px 100% no-repeat,linear-gradient(var(--restored-c),var(--restored-c)) var(--restored) 0/1px 100% no-repeat}
.gantt thead .t{background:none;padding-bottom:7px}.gantt td.t svg{height:18px;margin-top:8px}.gantt rect{stroke:var(--c);stroke-width:2;stroke-linejoin:round}.gantt rect.wait{stroke:var(--wait)}
line.never{stroke:var(--soft);opacity:.55;stroke-width:1;stroke-dasharray:2 4}
.gantt .unit th{padding-left:18px;font-weight:400}.gantt small{display:block;color:var(--soft);font-size:13px;font-weight:400;line-height:1.35}
.s{color:var(--c);padding-left:10px}
figure{margin-top:22px}section>h2+figure{margin-top:0}
figcaption{margin-bottom:6px;color:var(--soft);font-size:14px}figcaption b{color:var(--ink)}figcaption span{float:right}
details{margin-top:12px;font-size:14px}summary{cursor:pointer;color:var(--link)}details table,details ul{margin-top:10px}
.evidence li{display:grid;grid-template-columns:116px 1fr;gap:4px 16px;padding:12px 0;border-top:1px solid var(--line)}.actions li{grid-template-columns:164px 1fr}
.evidence li:first-child{border-top:0;padding-top:0}.evidence .tag{justify-self:start;align-self:start}
.evidence a,.evidence p>b{font-weight:600;margin-right:6px}.says{color:var(--soft);font-size:14px}.req{color:var(--soft);font-size:13px;margin-left:8px}
.hash{display:block;color:var(--soft);font-size:12px;line-height:1.4}
.not li{padding:3px 0 3px 18px;position:relative}.not li::before{content:"";position:absolute;left:2px;top:13px;width:7px;height:1.5px;background:var(--soft)}
th small{display:block;color:var(--soft);font-size:13px;font-weight:400;line-height:1.35;overflow-wrap:anywhere}
.beside{table-layout:fixed}.beside th:first-child{width:104px}.wide.beside th:first-child{width:24%}.beside td,.beside th,.trend small{overflow-wrap:anywhere}table+.why{margin-top:14px}
.trend td{vertical-align:middle}.trend .bar{width:26%}.trend .tag{margin:0}.trend svg{height:18px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
pre{margin:10px 0;padding:10px 14px;background:var(--track);border-radius:8px;white-space:pre-wrap}
.files li{padding:5px 0}
@media screen and (max-width:720px){main{padding:12px 12px 40px}section,.verdict{padding:18px 16px;border-radius:10px}h1{font-size:23px}.facts{grid-template-columns:1fr 1fr;gap:12px 18px}.cards{grid-template-columns:1fr;gap:30px}figcaption span{float:none;display:block}.evidence li,.actions li{grid-template-columns:1fr}.scope div,.digests div{display:block}
.gantt thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.gantt,.gantt tbody,.gantt tr,.gantt th,.gantt td{display:block}.gantt tr{display:grid;grid-template-columns:1fr auto auto;column-gap:12px;padding:8px 0;border-bottom:1px solid var(--line)}.gantt tr.group{display:block;padding:0;border:0}.gantt tr.group th{padding:14px 0 0;border:0}.gantt tr.group td{display:none}.gantt th,.gantt td{padding:0}.gantt th[scope=row]{grid-area:1/1/2/3}.gantt td.s{grid-area:1/3;text-align:right;padding:0;max-width:150px}.gantt td.t{grid-area:2/1/3/4}.gantt td.n{grid-row:3;font-size:13px;color:var(--soft);text-align:left}.gantt td.n:nth-child(3){grid-column:1}.gantt td.n:nth-child(4){grid-column:2/4;text-align:right}.gantt td.n:nth-child(3):not(:empty)::before{content:"at "}.gantt td.n:nth-child(4):not(:empty)::before{content:"took "}.gantt td.t svg{margin:4px 0}}
@media screen and (max-width:720px){.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}.stack,.stack tbody,.stack tr,.stack th,.stack td,.wide.beside th:first-child,.beside th:first-child,.trend .bar{display:block;width:auto}.stack tr{padding:10px 0}.stack th,.stack td{padding:2px 0;text-align:left}.stack td[data-l]::before{content:attr(data-l) ": ";color:var(--soft)}}
@media screen and (max-width:420px){.facts{grid-template-columns:1fr}.figure>b{font-size:30px}}
@media print{@page{size:A4;margin:14mm}:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#1b1f24;--soft:#4a5058;--line:#d5d6d2;--track:#e9e9e4;--good:#17724a;--good-bg:#e5f2ea;--bad:#b3261e;--bad-bg:#fbe9e7;--warn:#8a5200;--warn-bg:#fbf0dc;--quiet:#5c646d;--quiet-bg:#ececea;--link:#1b1f24;--wait:#7a5ea8;--fault-c:#b3261e;--restored-c:#17724a;--p1:#8a5200;--p2:#7a5ea8;--p3:#1f6f8b;--p4:#17724a;--p5:#5b7a1d}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{font-size:10.5pt}main{max-width:none;padding:0}section{border:0;border-top:1px solid var(--line);border-radius:0;padding:14px 0;margin-top:10px}.verdict{padding:14px 0;border:0;border-top:5px solid var(--c);border-radius:0}.card,figure,.evidence li,tr,.lines div{break-inside:avoid}h2,h3,.group{break-after:avoid}.scroll{overflow:visible}.scroll table{min-width:0}.scroll table{font-size:12px}.scroll td{overflow-wrap:anywhere}.scroll .n,.scroll .w{overflow-wrap:normal;padding-right:8px}details:not(.paper){display:none}.paper summary{list-style:none;color:inherit;font-weight:600}.paper::details-content{content-visibility:visible;display:block}.scroll th[scope=row]{overflow-wrap:anywhere;min-width:64px}a{text-decoration:none}}
`;

/** Handlebars. Every value is escaped; what is not are the charts and the style, which are ours. */
export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Muster {{tool}}">
<title>{{verdict.word}}: {{title}}</title>
<style>{{style}}</style>
</head>
<body>
<main>
{{> verdict}}
{{> identity}}
{{> objectives}}
{{> gantt}}
{{> probes}}
{{> measuring}}
{{> evidence}}
{{> deviations}}
{{> deletion}}
{{> findings}}
{{> controls}}
{{> approvals}}
{{> trend}}
{{> limits}}
{{> check}}
</main>
</body>
</html>
`;

export const parts = {
  verdict: `<header class="verdict {{verdict.tone}}">
<p class="eyebrow">Disaster-recovery drill<span>{{when}}</span></p>
<h1>{{title}}</h1>
<p class="outcome"><b><i aria-hidden="true">{{icon verdict.tone}}</i>{{verdict.word}}</b> <span>{{verdict.sentence}}</span></p>
{{#if reasons.length}}<ul class="reasons">
{{#each reasons}}<li><b>{{words}}</b> <code>{{code}}</code>{{#each items}}<p>{{#if step}}<span class="where">step {{step}}: </span>{{/if}}{{detail}}</p>{{/each}}</li>
{{/each}}</ul>
{{/if}}</header>`,

  identity: `<section aria-labelledby="identity"><h2 id="identity">What was drilled</h2>
{{#if scenario}}<p class="scenario">{{scenario}}</p>{{/if}}
<dl class="facts">
{{#each identity}}{{#unless (inLines this)}}<div><dt>{{label}}</dt><dd>{{value}}</dd></div>
{{/unless}}{{/each}}</dl>
<h3>Beside production</h3>
<table class="plain beside stack"><thead><tr><th scope="col"></th><th scope="col">In this drill</th><th scope="col">In production</th></tr></thead><tbody>
{{#each scale}}<tr><th scope="row">{{what}}</th><td data-l="In this drill">{{drill}}</td><td data-l="In production">{{production}}</td></tr>
{{/each}}</tbody></table>
<h3>By whom, and exactly what</h3>
<dl class="lines digests">{{#each identity}}{{#if (inLines this)}}<div><dt>{{label}}</dt><dd>{{#if (isCode this)}}<code>{{value}}</code>{{else}}{{value}}{{/if}}</dd></div>
{{/if}}{{/each}}</dl></section>`,

  objectives: `<section aria-labelledby="objectives"><h2 id="objectives">Objectives and what was achieved</h2>
<div class="cards">
{{#each objectives}}<article class="card">
<p class="name"><b>{{short}}</b> {{title}}</p>
<p class="figure"><b>{{value}}</b> <span class="tag {{tone}}"><i aria-hidden="true">{{icon tone}}</i>{{status}}</span></p>
{{objectiveChart this}}
{{#if share}}<p class="share">{{share}}</p>{{/if}}
{{#if why}}<p class="why">{{why}}</p>{{/if}}
{{#if facts.length}}<dl class="lines">{{#each facts}}<div><dt>{{label}}</dt><dd>{{value}}</dd></div>{{/each}}</dl>{{/if}}
</article>
{{/each}}</div>
{{#if phases.length}}<h3>Where the time went</h3>
{{phaseChart phases}}
<ul class="legend">{{#each phases}}<li{{#unless exercised}} class="dim"{{/unless}}><svg aria-hidden="true"><rect class="phase-{{phase}}" width="10" height="10" rx="2"/></svg>{{phase}} <b>{{duration}}</b></li>{{/each}}</ul>
{{/if}}
{{#if stores.length}}<h3>Data by store</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col">Store</th><th scope="col">Basis</th><th scope="col" class="n">Loss</th><th scope="col" class="n">Acknowledged before the fault</th><th scope="col" class="n">Recovered</th><th scope="col" class="n">Lost</th><th scope="col" class="n">Discarded after it</th><th scope="col">Last recovered</th></tr></thead>
<tbody>{{#each stores}}<tr><th scope="row">{{store}}</th><td class="w">{{basis}}</td><td class="n">{{value}}</td><td class="n">{{acknowledged}}</td><td class="n">{{recovered}}</td><td class="n">{{lost}}</td><td class="n">{{discarded}}</td><td>{{last}}</td></tr>{{#if why}}<tr><td colspan="8" class="why">{{why}}</td></tr>{{/if}}
{{/each}}</tbody></table></div>
{{/if}}</section>`,

  gantt: `<section aria-labelledby="steps"><h2 id="steps">Steps by phase</h2>
<ul class="legend">{{#each gantt.marks}}<li><svg aria-hidden="true"><line class="mark-{{label}}" x1="5" x2="5" y1="0" y2="10"/></svg>{{label}}</li>{{/each}}<li><svg aria-hidden="true"><rect class="wait" width="10" height="10"/></svg>waiting for people</li></ul>
<table class="gantt" style="--fault:{{percentOf gantt.marks "fault"}}%;--restored:{{percentOf gantt.marks "restored"}}%">
<thead><tr><th scope="col">Step</th><th scope="col" class="t"><span class="axis"><span>0</span><span>{{gantt.half}}</span><span>{{gantt.end}}</span></span></th><th scope="col" class="n">Began at</th><th scope="col" class="n">Took</th><th scope="col">Result</th></tr></thead>
{{#each gantt.groups}}<tbody><tr class="group"><th scope="rowgroup">{{phase}}</th><td class="t"></td><td colspan="3"></td></tr>
{{#each rows}}<tr{{#if isUnit}} class="unit"{{/if}}><th scope="row">{{id}}{{#if branch}} <small>in {{branch}}</small>{{/if}}<small>{{#if title}}{{title}}{{else}}{{uses}}{{/if}}</small></th><td class="t">{{rowChart this}}</td><td class="n">{{start}}</td><td class="n">{{duration}}</td><td class="s {{tone}}">{{status}}{{#each notes}}<small>{{this}}</small>{{/each}}</td></tr>
{{/each}}{{#if others.length}}<tr><th scope="row">{{others.length}} more<small>in the table below</small></th><td class="t"></td><td colspan="3"></td></tr>
{{/if}}</tbody>
{{/each}}</table>
{{#each gantt.groups}}{{#if others.length}}<details><summary>{{others.length}} more steps of {{phase}}</summary><table class="plain narrow"><thead><tr><th scope="col">Step</th><th scope="col" class="n">Began at</th><th scope="col" class="n">Took</th><th scope="col">Result</th></tr></thead><tbody>
{{#each others}}<tr><th scope="row">{{id}}</th><td class="n">{{start}}</td><td class="n">{{duration}}</td><td>{{status}}{{#each notes}}: {{this}}{{/each}}</td></tr>
{{/each}}</tbody></table></details>{{/if}}{{/each}}</section>`,

  probes: `{{#if probes.length}}<section aria-labelledby="probes"><h2 id="probes">What clients saw</h2>
{{#each probes}}<figure>
<figcaption><b>{{probe}}</b> {{what}}<span>{{summary}}</span></figcaption>
{{laneChart this}}
<p class="axis"><span>0</span><span>{{@root.gantt.half}}</span><span>{{@root.gantt.end}}</span></p>
<ul class="legend">{{#each legend}}<li><svg aria-hidden="true"><rect class="{{tone}}" width="10" height="10" rx="2"/></svg>{{state}}</li>{{/each}}</ul>
<details><summary>As a table</summary><table class="plain narrow"><thead><tr><th scope="col" class="n">From</th><th scope="col" class="n">For</th><th scope="col">State</th></tr></thead><tbody>{{#each table}}<tr><td class="n">{{from}}</td><td class="n">{{duration}}</td><td>{{state}}</td></tr>{{/each}}</tbody></table>{{#if more}}<p>{{more}} more in <a href="events.jsonl">events.jsonl</a>.</p>{{/if}}</details>
</figure>
{{/each}}</section>{{/if}}`,

  measuring: `<section aria-labelledby="measuring"><h2 id="measuring">Gaps and clock</h2>
{{#if gaps.length}}<div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col">Probe</th><th scope="col" class="n">From, after the fault</th><th scope="col" class="n">Not observed for</th></tr></thead><tbody>
{{#each gaps}}<tr><th scope="row">{{probe}}</th><td class="n">{{from}}</td><td class="n">{{lasted}}</td></tr>
{{/each}}</tbody></table></div>{{else}}<p>{{noGaps}}</p>{{/if}}
{{#if clock.length}}<h3>Where the clocks disagree</h3><div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col">Span</th><th scope="col" class="n">Monotonic</th><th scope="col" class="n">UTC</th><th scope="col" class="n">Counted</th></tr></thead><tbody>
{{#each clock}}<tr><th scope="row">{{span}}</th><td class="n">{{monotonic}}</td><td class="n">{{utc}}</td><td class="n">{{counted}}</td></tr>
{{/each}}</tbody></table></div>{{else}}<p>No measured span was found over which the monotonic clock and UTC disagree.</p>{{/if}}</section>`,

  deletion: `<section aria-labelledby="deletion"><h2 id="deletion">What became of the restored data</h2>
<p><span class="tag {{deletion.tone}}"><i aria-hidden="true">{{icon deletion.tone}}</i>{{#if deletion.kept.length}}kept in part{{else}}{{deletionWord deletion.tone}}{{/if}}</span> {{deletion.words}}</p>
{{#if deletion.kept.length}}<h3>Kept on purpose (--keep)</h3><ul class="not">{{#each deletion.kept}}<li>{{this}}</li>{{/each}}</ul>{{/if}}
{{#if deletion.rows.length}}<details><summary>Each of them</summary><div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col">What removed it</th><th scope="col">What and where</th><th scope="col">Result</th><th scope="col" class="n">At</th></tr></thead><tbody>
{{#each deletion.rows}}<tr><th scope="row">{{what}}</th><td>{{where}}</td><td>{{result}}</td><td class="n">{{at}}</td></tr>
{{/each}}</tbody></table></div>{{#if deletion.more}}<p>{{deletion.more}} more in <a href="events.jsonl">events.jsonl</a>.</p>{{/if}}</details>{{/if}}
<p class="why">A bundle holds counts, sizes and digests of the data, never a row's value.</p></section>`,

  controls: `<section aria-labelledby="controls"><h2 id="controls">Controls that the runbook names</h2>
{{#if controls.length}}<table class="plain beside stack wide"><thead><tr><th scope="col">Control</th><th scope="col">What a bundle shows of it</th><th scope="col">What no bundle shows</th></tr></thead><tbody>
{{#each controls}}<tr><th scope="row">{{id}}<small>{{title}}</small></th><td data-l="What a bundle shows of it">{{shows}}</td><td data-l="What no bundle shows">{{not}}</td></tr>
{{/each}}</tbody></table>{{else}}<p>None.</p>{{/if}}
<p class="why">This report records a test. It does not assess compliance with any of them.</p></section>`,

  trend: `{{#if trend.length}}<section aria-labelledby="trend"><h2 id="trend">Trend</h2>
<table class="plain trend stack"><thead><tr><th scope="col">Drill</th><th scope="col">Verdict</th><th scope="col" class="n">RTO</th><th scope="col" class="bar"><span class="hidden">RTO as a bar</span></th><th scope="col" class="n">RPO</th><th scope="col" class="n">By hand</th></tr></thead><tbody>
{{#each trend}}<tr><th scope="row">{{when}}<small>{{#if sha256}}{{run}}<code class="hash">{{sha256}}</code>{{else}}this drill{{/if}}</small></th><td><span class="tag {{tone}}"><i aria-hidden="true">{{icon tone}}</i>{{verdict}}</span></td><td class="n" data-l="RTO">{{rto}}</td><td class="bar">{{trendBar this}}</td><td class="n" data-l="RPO">{{rpo}}</td><td class="n" data-l="By hand">{{byHand}}</td></tr>
{{/each}}</tbody></table>
<p class="why">Drills of this runbook in this environment, as their bundles said when this one began, each with the digest of its tag manifest. <code>muster history</code> shows them all.</p></section>{{/if}}`,

  findings: `{{#if findings.length}}<section aria-labelledby="findings"><h2 id="findings">Findings and actions</h2>
<ul class="evidence actions">{{#each findings}}<li><span class="tag {{tone}}"><i aria-hidden="true">{{icon tone}}</i>{{weight}}</span>
<div><p><b>{{words}}</b> <code>{{code}}</code>{{#if where}}<span class="req">at {{where}}</span>{{/if}}</p><p class="says">{{action}}</p>{{#each decided}}<p class="says">{{this}}</p>{{/each}}</div></li>
{{/each}}</ul>
<p class="why">The runbook's owner is {{owner}}. Who sees to each finding, until when and in which ticket is decided after the drill and stands in findings.yaml; <code>muster findings</code> lists what is still open. A finding closes only by a later drill that passes, or by a signed acceptance of its risk.</p></section>{{/if}}`,

  approvals: `<section aria-labelledby="approvals"><h2 id="approvals">Approvals</h2>
<p>{{approvals.policy}} {{approvals.objectives}}</p>
{{#if approvals.given.length}}<ul class="files">{{#each approvals.given}}<li><b>{{who}}</b> approved it: {{file}}<code class="hash">{{key}}</code><code class="hash">{{sha256}}</code></li>{{/each}}</ul>{{else}}<p>The run relied on none.</p>{{/if}}
<p class="why">Reviews that were signed after the drill stand beside the seal, in the bundle's sig folder.</p></section>`,

  evidence: `<section aria-labelledby="evidence"><h2 id="evidence">Evidence</h2>
{{#if evidence.length}}<ul class="evidence">
{{#each evidence}}<li><span class="tag {{tone}}"><i aria-hidden="true">{{icon tone}}</i>{{status}}</span>
<div><p>{{#if file}}<a href="{{file.path}}">{{kind}}</a>{{else}}<b>{{kind}}</b>{{/if}} {{words}}{{#if required}}<span class="req">required</span>{{/if}}</p>
{{#if says}}<p class="says">{{says}}</p>{{/if}}
{{#if file}}<code class="hash">{{file.sha256}}</code>{{/if}}</div></li>
{{/each}}</ul>
<p class="why">What each kind holds, field by field, is the JSON Schema in <a href="evidence.schema.json">evidence.schema.json</a>{{#if schema}} <code class="hash">{{schema}}</code>{{/if}}</p>{{else}}<p>No evidence was recorded, and the runbook requires none.</p>{{/if}}</section>`,

  deviations: `<section aria-labelledby="deviations"><h2 id="deviations">Deviations and manual work</h2>
{{#if deviations.length}}<div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col" class="n">At</th><th scope="col">What</th><th scope="col">Who or where</th><th scope="col">Detail</th></tr></thead><tbody>
{{#each deviations}}<tr><td class="n">{{at}}</td><td>{{what}}</td><td>{{who}}</td><td>{{detail}}</td></tr>
{{/each}}</tbody></table></div>{{else}}<p>None were seen: no step was retried, and nobody reported a change by hand.</p>{{/if}}
{{#if changesAllowed}}<p>{{changesAllowed}} changes by expected actors were let through.</p>{{/if}}
{{#if human.length}}<h3>Documented manual steps</h3><div class="scroll" tabindex="0" role="region" aria-label="Table that scrolls sideways"><table class="plain"><thead><tr><th scope="col">Step</th><th scope="col">Attested by</th><th scope="col" class="n">Waited</th><th scope="col" class="n">Worked</th><th scope="col">Attestation</th></tr></thead><tbody>
{{#each human}}<tr><th scope="row">{{step}}</th><td>{{who}}</td><td class="n">{{waited}}</td><td class="n">{{worked}}</td><td>{{attestation}}</td></tr>
{{/each}}</tbody></table></div>{{/if}}
<p>{{manual}}</p></section>`,

  limits: `<section aria-labelledby="limits"><h2 id="limits">What this holds for, and what it does not prove</h2>
<dl class="lines scope">{{#each scope}}<div><dt>{{label}}</dt><dd>{{value}}</dd></div>{{/each}}</dl>
<h3>Not proved</h3>
<ul class="not">{{#each notProved}}<li>{{this}}</li>{{/each}}<li>Who made this bundle, unless it is sealed: without a seal it can only be shown to be consistent.</li></ul>
{{#if store}}<h3>Other drills in the evidence store</h3>
<p>{{store.registered}}</p>
{{#if store.open.length}}<p>These runs were registered there, and no bundle of them was there then: it was lost, could not be copied, or the run was under way.</p>
<ul class="files">{{#each store.open}}<li><code>{{run}}</code> {{what}}</li>{{/each}}</ul>{{else}}<p>Every run that was registered there before had left its bundle.</p>{{/if}}
{{/if}}</section>`,

  check: `<section aria-labelledby="check"><h2 id="check">How to check this</h2>
<p>This page is one file of a bundle. With Muster, and the path of the bundle for BUNDLE:</p>
<pre>muster verify BUNDLE</pre>
<p>checks every file, follows the journal's hash chain, and derives the verdict and this page again. README.txt in the bundle says how to check it with sha256sum, diff and ssh-keygen alone.</p>
<details class="paper"><summary>Files and their SHA-256</summary><ul class="files">{{#each files}}<li><a href="{{path}}">{{path}}</a><code class="hash">{{sha256}}</code></li>{{/each}}{{#if logs}}<li>logs/ ({{logs.count}} files, over their lines "sha256  path")<code class="hash">{{logs.sha256}}</code></li>{{/if}}</ul></details></section>`,
} as const;

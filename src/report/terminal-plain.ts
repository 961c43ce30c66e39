import type { DrillEvent } from '../engine/events.js';
import { formatDuration } from '../engine/duration.js';
import type { Plan } from '../engine/plan-document.js';
import { milliseconds, phaseTitles, RunModel, type StepView } from './terminal-model.js';
import { padEnd, padStart, type Style } from './style.js';
import type { Progress } from './terminal-progress.js';
import { visible } from './visible.js';

/** One line per thing that happened, each with the time since the start: for logs and pipes. */
export function plainProgress(plan: Plan, stream: { write(text: string): unknown }, style: Style): Progress {
  const model = new RunModel(plan);
  const health = new Map<string, boolean>();
  let phase: string | null = null;
  const line = (event: DrillEvent, text: string): void => {
    const since = model.startedMs === null ? 0 : milliseconds(event.mono) - model.startedMs;
    stream.write(`${style.dim(padStart(formatDuration(since), 8))}  ${text}\n`);
  };

  const enter = (view: StepView, event: DrillEvent): void => {
    if (view.step.phase === phase) return;
    phase = view.step.phase;
    line(event, style.strong(phaseTitles[view.step.phase]));
  };

  const event = (event: DrillEvent): void => {
    model.apply(event);
    const view = event.step === undefined ? undefined : model.steps.get(event.step);
    switch (event.type) {
      case 'run.started':
        line(event, `${style.strong(plan.binding.runbook.title)} (run ${event.data.run})`);
        return;
      case 'run.resumed':
        line(event, style.warn(`taken over by ${visible(event.data.operator)} on ${visible(event.data.host)}: the process that had it is gone`));
        return;
      case 'operator.attached':
        line(event, `${visible(event.data.who)} follows this run from ${visible(event.data.host)}`);
        return;
      case 'note.manual':
        line(event, style.warn(`  changed by hand, says ${visible(event.data.who)}: ${visible(event.data.text)}`));
        return;
      case 'operator.chose':
        line(event, `  ${event.step ?? ''} the operator chose: ${event.data.choice}`);
        return;
      case 'run.kept':
        line(event, `kept until ${event.data.until}: ${event.data.things.map(({ system, object }) => `${system} ${object}`).join(', ')}`);
        return;
      case 'connection.provisioned':
        line(event, `  ${event.data.connection} ready (${event.data.provision})`);
        return;
      case 'step.started':
        if (view !== undefined) enter(view, event);
        return;
      case 'step.finished': {
        if (view === undefined) return;
        const took = view.startedMs === null || view.endedMs === null ? '' : formatDuration(view.endedMs - view.startedMs);
        const status = event.data.status === 'succeeded' ? style.good('ok') : style.bad(event.data.status);
        line(event, `  ${padEnd(view.id, 20)} ${status} ${style.dim(took)}${view.note === null ? '' : `: ${visible(view.note)}`}`);
        if (event.data.error?.hint !== undefined) line(event, `    ${visible(event.data.error.hint)}`);
        return;
      }
      case 'unit.finished': {
        const { unit, started, ended, result, reason } = event.data;
        const said = reason === null ? result : `${result}: ${reason}`;
        // That a unit was planned says nothing yet.
        if (view?.step.effect === 'read' && result === 'succeeded' && reason === null) return;
        line(event, `    ${padEnd(visible(unit), 18)} ${result === 'succeeded' && reason === null ? style.dim(said) : style.warn(visible(said))} ${style.dim(formatDuration(Math.max(0, Date.parse(ended) - Date.parse(started))))}`);
        return;
      }
      case 'step.attempt-failed':
        line(event, `  ${event.step ?? ''} ${style.warn('failed, will be tried again')}: ${visible(event.data.error.message)}`);
        return;
      case 'step.skipped':
        line(event, `  ${padEnd(event.step ?? '', 20)} ${style.warn('skipped')}: ${visible(event.data.detail)}`);
        return;
      case 'human.asked':
        line(event, `  ${event.step ?? ''} waits for a person: ${visible(event.data.instructions)}`);
        return;
      case 'fault.sent':
        line(event, style.bad(`  the recovery clock starts: ${visible(event.data.detail)}`));
        return;
      case 'probe.sample': {
        const healthy = event.data.read && event.data.write;
        if (health.get(event.data.probe) === healthy) return;
        const first = !health.has(event.data.probe);
        health.set(event.data.probe, healthy);
        if (first && healthy) return;
        const clock = model.recovery(milliseconds(event.data.sent.mono));
        const at = clock === null ? '' : `, ${formatDuration(milliseconds(event.data.sent.mono) - (model.faultMs ?? 0))} after the fault`;
        line(event, healthy ? style.good(`  ${event.data.endpoint} answers again${at}`) : style.bad(`  ${event.data.endpoint} fails${at}`));
        return;
      }
      case 'endpoint.switched':
        line(event, `  ${event.data.endpoint} now leads to ${event.data.to}`);
        return;
      case 'cleanup.finished':
        if (!event.data.ok) line(event, style.bad(`  cleanup ${event.data.id} failed: ${visible(event.data.error ?? 'no reason given')}`));
        return;
      case 'cancel.requested':
        line(event, style.warn(`cancelled (${event.data.by}): cleaning up; once more stops at once`));
        return;
      case 'run.finished':
        line(event, `cleaned up: ${model.cleanups.done} of ${model.cleanups.registered} registered cleanups${model.cleanups.failed > 0 ? `, ${model.cleanups.failed} failed` : ''}`);
        return;
      default:
    }
  };

  return {
    event,
    past: (event) => model.apply(event),
    message: (text) => void stream.write(`${text}\n`),
    pause: () => () => undefined,
    close: () => Promise.resolve(),
  };
}

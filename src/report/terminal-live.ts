import { DefaultRenderer, Listr, ListrDefaultRendererLogLevels, ListrLogger, ProcessOutput, type ListrDefaultRendererTask, type ListrTask, type ListrTaskWrapper } from 'listr2';
import type { DrillEvent } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { connectionLine, cleanupLine, recoveryLines, stableLine, stepLine } from './terminal-lines.js';
import { phaseTitles, RunModel } from './terminal-model.js';
import { blocksOf, type Block } from './terminal-blocks.js';
import { cut, type Style } from './style.js';
import type { Progress } from './terminal-progress.js';

type Task = ListrTask<unknown, typeof DefaultRenderer>;
type Drawn = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof DefaultRenderer>;
/** How a line of the drawing ended. */
type Outcome = 'running' | 'done' | 'failed' | 'skipped';

/** Ten times a second is as fast as the eye follows a clock. */
const tickMs = 100;

/** The drill as a listr2 drawing. Its tasks do no work: each waits for the event that ends its line. */
export function liveProgress(plan: Plan, stream: NodeJS.WriteStream, style: Style): Progress {
  const model = new RunModel(plan);
  const view = draw(model, stream, style);
  return {
    event(event: DrillEvent) {
      model.apply(event);
      view.refresh();
    },
    past(event: DrillEvent) {
      model.apply(event);
      view.refresh();
    },
    message: view.message,
    pause: view.pause,
    close: view.end,
  };
}

function someOf(task: ListrDefaultRendererTask, holds: (line: ListrDefaultRendererTask) => boolean): boolean {
  return task.subtasks.some((line) => holds(line) || (line.hasSubtasks() && someOf(line, holds)));
}

interface View {
  readonly refresh: () => void;
  readonly message: (text: string) => void;
  readonly pause: () => () => void;
  /** Ends the drawing and leaves its last state on the screen. */
  readonly end: () => Promise<void>;
}

function draw(model: RunModel, stream: NodeJS.WriteStream, style: Style): View {
  const lines: { readonly drawn: Drawn; readonly text: () => string; readonly outcome: () => Outcome; readonly settle: (outcome: Outcome) => void }[] = [];
  const messages: string[] = [];
  const output = new ProcessOutput(stream, stream, { leaveEmptyLine: false });
  let drawing: DefaultRenderer | undefined;
  const begun = (it: DefaultRenderer): void => void (drawing = it);
  let paused = 0;
  let drawnMs = -Infinity;
  let over = false;
  const nowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
  const columns = (level: number): number => Math.min(stream.columns, 110) - 2 * level - 6;

  /** A line that lives until `outcome` is no longer `running`. */
  const line = (level: number, text: (width: number) => string, outcome: () => Outcome): Task => ({
    title: text(columns(level)),
    task: (_, drawn) =>
      new Promise<void>((resolve, reject) => {
        const settle = (result: Outcome): void => {
          drawn.title = text(columns(level));
          if (result === 'skipped') drawn.skip();
          if (result === 'failed') reject(new Error(drawn.title));
          else resolve();
        };
        const result = outcome();
        if (over || result !== 'running') settle(result);
        else lines.push({ drawn, text: () => text(columns(level)), outcome, settle });
      }),
  });

  const group = (title: string, tasks: Task[], concurrent = false): Task => ({ title, task: (_, drawn) => drawn.newListr(tasks, { concurrent, exitOnError: false }) });

  const block = (item: Block, level: number): Task => {
    if (item.kind === 'parallel') {
      const branches = Object.entries(item.branches).map(([name, ids]) => group(style.dim(name), ids.map((id) => step(id, level + 2)), false));
      return group(style.dim('side by side'), branches, true);
    }
    return step(item.id, level);
  };

  const step = (id: string, level: number): Task =>
    line(
      level,
      (width) => stepLine(model, id, nowMs(), width, style),
      () => {
        const state = model.steps.get(id)?.state ?? 'waiting';
        if (state === 'succeeded') return 'done';
        if (state === 'skipped' || state === 'cancelled') return 'skipped';
        if (state === 'failed' || state === 'timed-out') return model.failedForGood(id) ? 'failed' : 'running';
        return model.stage === 'finished' ? 'skipped' : 'running';
      },
    );

  const stepsBegun = (): boolean => model.stage === 'steps' || model.stage === 'cleaning' || model.stage === 'finished';
  const connections = [...model.connections.keys()].map((name) =>
    line(2, (width) => connectionLine(model, name, nowMs(), width, style), () => (model.connections.get(name)?.state === 'succeeded' ? 'done' : stepsBegun() ? 'skipped' : 'running')),
  );
  const phases = blocksOf(model.plan.binding.steps).map(({ phase, blocks }) => group(phaseTitles[phase], blocks.map((item) => block(item, 2))));
  const stable = line(1, () => stableLine(model, style), () => (model.verificationEndedMs !== null ? 'done' : model.stage === 'cleaning' || model.stage === 'finished' ? 'skipped' : 'running'));
  const extra = model.plan.binding.cleanup.map((item) => step(item.id, 2));
  const cleanup = group(phaseTitles.cleanup, [...extra, line(2, () => cleanupLine(model, style), () => (model.stage !== 'finished' ? 'running' : model.cleanups.failed > 0 ? 'failed' : 'done'))]);
  const recovery = line(0, (width) => recoveryLines(model, nowMs(), width, style).join('\n'), () => {
    if (model.stage !== 'finished') return 'running';
    const clock = model.recovery(nowMs());
    return clock === null ? 'skipped' : clock.restored ? 'done' : 'failed';
  });

  class Drawing extends DefaultRenderer {
    override async render(): Promise<void> {
      begun(this);
      await super.render();
    }
    override create(options?: Parameters<DefaultRenderer['create']>[0]): string {
      return paused > 0 ? '' : super.create(options);
    }
    /** A group is as good as the worst of its lines, however deep it stands. */
    protected override style(task: ListrDefaultRendererTask, output?: boolean): string {
      if (output !== true && task.hasSubtasks() && task.isCompleted()) {
        if (someOf(task, (line) => line.hasFailed())) return style.bad('✖');
        if (someOf(task, (line) => line.isSkipped())) return style.warn('–');
      }
      return super.style(task, output);
    }
    /** listr2 asks for a drawing whenever anything changes; the spinner's turn is often enough. */
    override update(): void {
      const now = performance.now();
      if (paused > 0 || now - drawnMs < tickMs * 0.8) return;
      drawnMs = now;
      super.update();
    }
  }

  const icons = ListrDefaultRendererLogLevels;
  const list = new Listr(
    [group(style.strong(cut(model.plan.binding.runbook.title, columns(0))), [...(connections.length === 0 ? [] : [group('Environment', connections, true)]), ...phases, stable, cleanup]), recovery],
    {
      concurrent: true,
      exitOnError: false,
      registerSignalListeners: false,
      renderer: Drawing,
      rendererOptions: {
        collapseSubtasks: false,
        collapseErrors: false,
        showErrorMessage: false,
        collapseSkips: false,
        showSkipMessage: false,
        logger: new ListrLogger({ useIcons: true, toStderr: [], processOutput: output }),
        icon: { [icons.PENDING]: '●', [icons.WAITING]: '○', [icons.COMPLETED]: '✔', [icons.FAILED]: '✖', [icons.SKIPPED_WITHOUT_COLLAPSE]: '–', [icons.COMPLETED_WITH_FAILED_SUBTASKS]: '✖', [icons.FAILED_WITH_FAILED_SUBTASKS]: '✖' },
        color: {
          [icons.PENDING]: (text) => style.accent(text ?? ''),
          [icons.WAITING]: (text) => style.dim(text ?? ''),
          [icons.COMPLETED]: (text) => style.good(text ?? ''),
          [icons.FAILED]: (text) => style.bad(text ?? ''),
          [icons.SKIPPED_WITHOUT_COLLAPSE]: (text) => style.warn(text ?? ''),
          [icons.COMPLETED_WITH_FAILED_SUBTASKS]: (text) => style.bad(text ?? ''),
          [icons.FAILED_WITH_FAILED_SUBTASKS]: (text) => style.bad(text ?? ''),
        },
      },
    },
  );
  const finished = list.run().then(
    () => undefined,
    () => undefined,
  );

  /** Ends every line whose event has come; ending one may start the next. */
  const refresh = (): void => {
    for (const item of lines.splice(0)) {
      const outcome = item.outcome();
      if (outcome === 'running' && !over) lines.push(item);
      else item.settle(outcome);
    }
  };
  const tick = setInterval(() => {
    for (const item of lines) item.drawn.title = item.text();
  }, tickMs);

  return {
    refresh,
    message: (text) => void messages.push(text),
    pause() {
      paused += 1;
      if (paused === 1 && drawing !== undefined) {
        // Erases what is drawn; the stream then belongs to whoever asked.
        DefaultRenderer.prototype.update.call(drawing);
        output.release();
      }
      return () => {
        if (paused === 1 && drawing !== undefined) {
          // The next drawing erases the lines that the empty one took: these.
          stream.write('\n\n');
          output.hijack();
        }
        paused -= 1;
      };
    },
    async end() {
      over = true;
      clearInterval(tick);
      refresh();
      await finished;
      for (const text of messages) stream.write(`${text}\n`);
    },
  };
}

import type { Ec2, Volume } from '../../../clients/ec2/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { askUntil } from './ask.js';

export type Awaited = 'available' | 'in-use' | 'deleted';

type Waiting = Pick<BaseContext, 'clock' | 'signal' | 'log'>;

/** Ends at `error`, and where the volume is gone: StepError `volume-error`, `volume-gone`. For `deleted` resolves to null. */
export async function untilVolume(ec2: Pick<Ec2, 'volume'>, id: string, until: 'deleted', every: string, ctx: Waiting): Promise<null>;
export async function untilVolume(ec2: Pick<Ec2, 'volume'>, id: string, until: 'available' | 'in-use', every: string, ctx: Waiting): Promise<Volume>;
export async function untilVolume(ec2: Pick<Ec2, 'volume'>, id: string, until: Awaited, every: string, ctx: Waiting): Promise<Volume | null>;
export async function untilVolume(ec2: Pick<Ec2, 'volume'>, id: string, until: Awaited, every: string, ctx: Waiting): Promise<Volume | null> {
  let last = '';
  const { found } = await askUntil(
    async () => {
      const volume = await ec2.volume(id);
      const state = volume?.state ?? 'deleted';
      if (state !== last) ctx.log(`${id} is ${state}`);
      last = state;
      if (state === until && (until !== 'in-use' || volume?.attachments.some((attachment) => attachment.state === 'attached'))) return { found: volume ?? null };
      if (state === 'error') throw new StepError('volume-error', `the volume ${id} is in the state error and will never be ${until}`, { hint: 'A key that may not be used, or a snapshot that cannot be read: EC2 does not say which in the volume. Look at the key policy and at CloudTrail.' });
      if (state === 'deleted' && until !== 'deleted') throw new StepError('volume-gone', `there is no volume ${id} (any more)`, { hint: 'Somebody may have deleted it; after an error EC2 removes a new volume by itself.' });
      return undefined;
    },
    every,
    ctx,
  );
  return found;
}

export async function volumeThere(ec2: Pick<Ec2, 'volume'>, id: string): Promise<Volume> {
  const found = await ec2.volume(id);
  if (found === undefined) throw new StepError('no-such-volume', `there is no volume ${id} in this account and region`);
  return found;
}

import { Type } from 'typebox';
import { ConnectionName, Duration } from '../../../engine/schema.js';

export const Aws = ConnectionName('aws', 'Account and region');
export const VolumeId = (description: string) => Type.String({ pattern: '^vol-[0-9a-f]{8,17}$', description });
export const SnapshotId = (description: string) => Type.String({ pattern: '^snap-[0-9a-f]{8,17}$', description });
export const InstanceId = (description: string) => Type.String({ pattern: '^i-[0-9a-f]{8,17}$', description });
export const Zone = (description: string) => Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-\\d[a-z]$', description });
/** EC2 tells nobody of what happens to it: waits ask again and again. */
export const Every = Duration('How often EC2 is asked; default 2s.');
export const defaultEvery = '2s';
export const Tags = (description: string) => Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Type.String({ maxLength: 256 }), { minProperties: 1, maxProperties: 40, description });

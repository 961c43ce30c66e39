import { startAwsProxy, type AwsProxy } from './aws-proxy.js';
import { startMoto, type Moto } from './moto.js';

/** moto, and a proxy in front of it that a test may have answer in its place. */
export interface Aws {
  readonly moto: Moto;
  readonly proxy: AwsProxy;
  /** As `moto.env`, but by way of the proxy. */
  readonly env: Readonly<Record<string, string>>;
  /** Forgets everything, and answers as moto does. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export async function startAws(): Promise<Aws> {
  const moto = await startMoto();
  const proxy = await startAwsProxy(moto.endpoint);
  return {
    moto,
    proxy,
    env: { ...moto.env, AWS_ENDPOINT_URL: proxy.endpoint },
    async reset() {
      proxy.meddle(undefined);
      await moto.reset();
    },
    async stop() {
      await proxy.stop();
      await moto.stop();
    },
  };
}

import { existsSync } from 'node:fs';

/** What a child of Terraform, OpenTofu or Terragrunt gets of Muster's own environment, beside the minimal one. */
export interface ToolEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables whose values are secret (CommandOptions.secretEnv). */
  readonly secretEnv: readonly string[];
}

/** Where credentials, regions and endpoints of providers and backends come from. */
const passed = /^(AWS_(REGION|DEFAULT_REGION|PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_CREDENTIALS_\w+|EC2_METADATA_\w+|STS_REGIONAL_ENDPOINTS|ENDPOINT_URL(_\w+)?)|GOOGLE_APPLICATION_CREDENTIALS|KUBE_CONFIG_PATH|KUBECONFIG|TF_PLUGIN_CACHE_DIR|SSL_CERT_FILE|SSL_CERT_DIR|USER|LOGNAME)$/;
const secret = /^(AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|AWS_CONTAINER_AUTHORIZATION_TOKEN|TF_TOKEN_\w+|TF_HTTP_(USERNAME|PASSWORD)|TF_ENCRYPTION)$/;
/** Inputs of the plan that no document names. They are passed on as Terraform would take them; the watcher `terraform` lists them. */
const inputs = /^TF_VAR_\w+$/;

/**
 * TF_CLI_ARGS*, TF_WORKSPACE, TF_DATA_DIR, TF_LOG* and the like are not passed on: they would change what the arguments say.
 * A TF_CLI_CONFIG_FILE that names a missing file is left out, because Terraform's warning about it spoils its output.
 */
export function toolEnvironment(own: Readonly<Record<string, string | undefined>> = process.env): ToolEnvironment {
  const env: Record<string, string> = { TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1' };
  const secretEnv: string[] = [];
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || value === '') continue;
    if (secret.test(name)) secretEnv.push(name);
    else if (passed.test(name) || inputs.test(name)) env[name] = value;
  }
  const config = own['TF_CLI_CONFIG_FILE'];
  if (config !== undefined && existsSync(config)) env['TF_CLI_CONFIG_FILE'] = config;
  return { env, secretEnv };
}

/** Names of the TF_VAR_* that `toolEnvironment` passes on. */
export function inputVariables(own: Readonly<Record<string, string | undefined>> = process.env): string[] {
  return Object.keys(own).filter((name) => inputs.test(name) && own[name] !== '').toSorted();
}

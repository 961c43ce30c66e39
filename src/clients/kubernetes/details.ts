/** `details` of `connection.provisioned` for kind `kubernetes`. JSON, no secrets. */
export interface KubernetesDetails {
  /** Absolute paths, merged in this order as kubectl does. */
  readonly kubeconfig: readonly string[];
  /** The only context that is used; never the file's current one. */
  readonly context: string;
  /** URL of the API server as the context gave it when the connection was provisioned. */
  readonly server: string;
  /** Of the namespace kube-system: the cluster's identity. */
  readonly uid: string;
  readonly namespace: string;
}

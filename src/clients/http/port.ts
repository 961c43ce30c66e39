export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** At most the first 64 KiB. */
  readonly body: string;
}

export interface HttpRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
}

/** Redirects are not followed: where they lead may be outside the boundary. */
export interface HttpPort {
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

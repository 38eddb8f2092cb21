/** The person, or an AbortSignal, said no. Nothing was done. */
export declare class StepUpCancelled extends Error {
  readonly name: "StepUpCancelled";
}

/** What the dialog says; each text left out keeps the one of the page's language (English or German). */
export interface Texts {
  title: string;
  code: string;
  recovery: string;
  useRecovery: string;
  passkey: string;
  confirm: string;
  cancel: string;
  /** Followed by the number of tries left. */
  wrong: string;
  /** Followed by the number of seconds. */
  locked: string;
  ended: string;
  failed: string;
}

export interface Options {
  texts?: Partial<Texts>;
  /** Sent along with a code, beside the call's own Authorization: what the app needs to know who is asking. */
  headers?: Record<string, string>;
}

/**
 * A fetch that asks: where a call is answered with `urn:stepup:challenge-required`, the person is asked for a code in
 * a dialog, and the call is made again. One dialog at a time; a proof that does for other calls in flight is used for
 * them. Rejects with StepUpCancelled where the person says no, for every call that waited, and with the signal's
 * reason where the call is aborted.
 */
export declare function wrap(fetch?: typeof globalThis.fetch, options?: Options): typeof globalThis.fetch;

/** The answer of `GET status`: is a proof needed for this request, and how fresh is the one at hand. */
export interface Status {
  sensitive: boolean;
  proof_required: boolean;
  max_age?: number;
  fresh_for_s?: number;
  factors?: string[];
  [more: string]: unknown;
}

export declare function status(method: string, path: string): Promise<Status>;

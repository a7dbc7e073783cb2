// The few names of Node's test runner that the tests use: enough to check them without one more package.
declare module "node:test" {
  type Body = () => void | Promise<void>;
  export default function test(name: string, body: Body): void;
}

declare module "node:assert/strict" {
  interface Assert {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    notEqual(actual: unknown, expected: unknown, message?: string): void;
    match(value: string, pattern: RegExp, message?: string): void;
    ok(value: unknown, message?: string): void;
    rejects(promise: Promise<unknown>, error?: (reason: unknown) => boolean): Promise<void>;
  }
  const assert: Assert;
  export default assert;
}

declare function setImmediate(run: () => void): unknown;

declare module "*.css";

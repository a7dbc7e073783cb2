// The client for any page: import it as a module, or find it as `spanfeed` on the window.
import * as client from "./index";

export * from "./index";

Object.assign(globalThis, { spanfeed: client });

// A request that is sent once more with a new token where the present one is not accepted any more.
import { HttpError, type Keeper } from "../client/http";

export async function renewed<T>(keeper: Keeper, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 401 || !keeper.forget()) throw error;
    return request();
  }
}

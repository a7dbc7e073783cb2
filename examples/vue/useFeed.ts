// One session's feed as a Vue composable: a snapshot that is replaced with each change, never changed in itself.
import { connect, type ConnectOptions, type Feed, type FeedSnapshot } from "spanfeed-react/client";
import { type MaybeRefOrGetter, onScopeDispose, type ShallowRef, shallowRef, toValue, watch } from "vue";

type Options = Omit<ConnectOptions, "sessionId">;

export function useFeed(sessionId: MaybeRefOrGetter<string | null>, options: Options = {}): ShallowRef<FeedSnapshot | null> {
  const snapshot = shallowRef<FeedSnapshot | null>(null);
  let feed: Feed | null = null;
  const leave = () => {
    feed?.close();
    feed = null;
    snapshot.value = null;
  };
  const follow = (id: string | null) => {
    leave();
    if (id === null) return;
    const fresh = connect({ ...options, sessionId: id });
    feed = fresh;
    snapshot.value = fresh.getSnapshot();
    fresh.subscribe(() => {
      snapshot.value = fresh.getSnapshot();
    });
  };
  watch(() => toValue(sessionId), follow, { immediate: true });
  onScopeDispose(leave);
  return snapshot;
}

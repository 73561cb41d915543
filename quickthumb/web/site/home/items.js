// The images of this page, from the moment they are chosen until they are removed from the list. Every other part
// changes an item through `change`, and hears of changes through `onChange`.

const KEPT = "quickthumb-jobs";
const items = [];
let made = 0;
const listeners = new Set();

export const all = () => items;
export const onChange = (listener) => listeners.add(listener);

// A new item. Its phase is one of:
// queued      waits for its turn to be uploaded
// sending     is being uploaded: `sent` of `total` bytes
// paused      tries again at `until`, because of `reason`
// refused     the service said no, as `problem` tells
// making      has a `job` that has not ended
// ended       has a `job` that has
export function add(given) {
  const item = { id: ++made, phase: "queued", sent: 0, total: 0, job: null, problem: null, ...given };
  items.unshift(item);
  told(item);
  return item;
}

export function change(item, changes) {
  Object.assign(item, changes);
  told(item);
}

export function drop(item) {
  const place = items.indexOf(item);
  if (place < 0) return;
  items.splice(place, 1);
  if (item.preview && !items.some((other) => other.preview === item.preview)) URL.revokeObjectURL(item.preview);
  told(item);
}

// The state of a job, as the service tells it.
export function jobIs(item, job) {
  const over = ["DONE", "FAILED", "CANCELLED"].includes(job.status);
  change(item, { job, phase: over ? "ended" : "making", problem: null });
}

function told(item) {
  keep();
  for (const listener of listeners) listener(item);
}

// The jobs of this tab come back after a reload.
function keep() {
  const jobs = items.filter((item) => item.job).map((item) => ({ id: item.job.id, name: item.name, recipe: item.recipe }));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(jobs.slice(0, 100)));
  } catch {
    // A browser without storage forgets them.
  }
}

export function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]").filter(({ id }) => /^[0-9a-f]{32}$/.test(id));
  } catch {
    return [];
  }
}

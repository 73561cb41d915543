// The form with the class "direct" sends its picture straight to QuickThumb, and then the id of the job to the server.
const message = document.querySelector(".message");
const pause = seconds => new Promise(resolve => setTimeout(resolve, 1000 * seconds));

async function send(url, body, headers = {}) {
  for (let attemptsLeft = 2; ; attemptsLeft--) {
    const answer = await fetch(url, { method: "POST", body, headers });
    if (answer.ok) return answer.json();
    const seconds = Number(answer.headers.get("Retry-After"));
    if (!seconds || !attemptsLeft) {
      const isJson = (answer.headers.get("Content-Type") || "").endsWith("json");
      throw new Error(isJson ? (await answer.json()).detail : `The server answered ${answer.status}.`);
    }
    message.textContent = `Busy; trying again in ${seconds} s`;
    await pause(seconds);
  }
}

document.querySelector("form.direct")?.addEventListener("submit", async event => {
  event.preventDefault();
  const form = event.target;
  const upload = new FormData();
  upload.append("size", "200x200");
  upload.append("fit", "cover");
  upload.append("image", form.picture.files[0]);
  try {
    message.textContent = "Uploading …";
    const job = await send("/images/", upload, { "Idempotency-Key": crypto.randomUUID() });
    const photo = new FormData(form);
    photo.delete("picture");
    photo.append("job_id", job.id);
    location = (await send("/photos/uploaded", photo)).url;
  } catch (error) {
    message.textContent = error.message;
  }
});

// The page of a photo names the URL to ask while the thumbnail is being made.
const waiting = document.querySelector("[data-ask]");
while (waiting) {
  const answer = await fetch(waiting.dataset.ask);
  const { status } = answer.ok ? await answer.json() : {};
  if (status && !["WAITING", "IN_PROGRESS"].includes(status)) {
    location.reload();
    break;
  }
  await pause(1);
}

// What a user of a generated TypeScript client writes. Run by test_typescript_client.py; the arguments are the service's
// URL and a photo.

import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Job = components["schemas"]["Job"];
type Output = components["schemas"]["Output"];
type Form = NonNullable<paths["/images/"]["post"]["requestBody"]>["content"]["multipart/form-data"];

const [baseUrl, photo] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl, querySerializer: { object: { style: "form", explode: true } } });
const bytes = await readFile(photo);

// The document says `string` for a file, as OpenAPI does; in a browser, this is the File of an <input>.
const image = new File([bytes], "cat.jpg", { type: "image/jpeg" }) as unknown as string;

function asForm(fields: Form): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) form.append(name, one as string | Blob);
  }
  return form;
}

async function finished(id: string): Promise<Job> {
  for (;;) {
    const { data, error } = await api.GET("/jobs/{job_id}", { params: { path: { job_id: id }, query: { wait: 1 } } });
    if (error) throw new Error(`${error.code}: ${error.detail}`);
    if (data.status !== "WAITING" && data.status !== "IN_PROGRESS") return data;
  }
}

async function show(title: string, id: string | undefined, name: string): Promise<void> {
  const job = await finished(id ?? "");
  const result = job.results[name];
  if (job.status !== "DONE" || !result) throw new Error(JSON.stringify(job));
  const { data, response } = await api.GET("/jobs/{job_id}/results/{name}", {
    params: { path: { job_id: job.id, name } },
    parseAs: "blob",
  });
  const whole: boolean = data?.size === result.bytes;
  console.log(`${title}: ${name} ${result.width}x${result.height} ${response.headers.get("content-type")} ${whole}`);
}

const outputs: Output[] = [{ name: "small", size: "64x64" }, { name: "wide", width: 200, format: "webp" }];

const preset = await api.POST("/images/", { body: { image, preset: ["thumbnail"] }, bodySerializer: asForm as never });
await show("form with a preset", preset.data?.id, "thumbnail");
const listed = await api.POST("/images/", {
  body: { image, outputs: JSON.stringify(outputs) },
  bodySerializer: asForm as never,
});
await show("form with outputs", listed.data?.id, "small");
const json = await api.POST("/images/", { body: { data: bytes.toString("base64"), outputs } });
await show("JSON with outputs", json.data?.id, "small");
const bare = await api.POST("/images/", {
  params: { query: { parameters: { name: "tiny", size: "40x40" } } },
  headers: { "Content-Type": "application/octet-stream" },
  body: bytes as unknown as string,
  bodySerializer: (body: unknown) => body as never,
});
await show("bare image", bare.data?.id, "tiny");
const { error } = await api.POST("/images/", {
  body: { image, preset: ["thumbnial"] },
  bodySerializer: asForm as never,
});
console.log("refusal:", error?.code, error?.field);
const { data: page } = await api.GET("/jobs", { params: { query: { status: "DONE", limit: 1 } } });
console.log("listed:", page?.jobs.length, typeof page?.cursor);

// Swagger UI on this service's own description. Nothing is loaded from elsewhere.

let described = false;

// Lets the fields of forms begin empty: Swagger UI fills each with a sample, and would send them all.
function emptyFields(response) {
  if (described || !response.ok) return response;
  described = true;
  const description = JSON.parse(response.text);
  for (const operations of Object.values(description.paths)) {
    for (const operation of Object.values(operations)) {
      const form = operation.requestBody?.content["multipart/form-data"];
      Object.values(form?.schema.properties ?? {}).forEach(emptyField);
    }
  }
  response.text = JSON.stringify(description);
  return response;
}

function emptyField(field) {
  if (field.format === "binary") return;
  if (field.default !== undefined) field.description = `${field.description ?? ""} Default: ${field.default}.`;
  delete field.default;
  delete field.contentMediaType; // which would make it a file chooser
  field.example = "";
}

// What was left empty is not sent, so that the shown command is as short as what was filled in.
function withoutEmptyFields(request) {
  if (request.body instanceof FormData) {
    for (const [name, value] of [...request.body]) {
      if (value === "") request.body.delete(name);
    }
  }
  return request;
}

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  requestInterceptor: withoutEmptyFields,
  responseInterceptor: emptyFields,
  tryItOutEnabled: true,
  validatorUrl: null,
});

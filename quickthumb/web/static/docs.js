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
  if (field.examples) field.description = `${field.description ?? ""} For instance: ${field.examples.join(" or ")}.`;
  delete field.default;
  delete field.examples;
  delete field.contentMediaType; // which would make it a file chooser
  field.example = field.type === "array" ? [] : "";
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

// Another way of sending begins with its own example: Swagger UI would show what the form held, as JSON.
function freshBodies() {
  const setRequestContentType = (original, { oas3Actions, oas3Selectors }) => (choice) => {
    const { value, pathMethod } = choice;
    const keepsFile = oas3Selectors.requestBodyValue(...pathMethod) instanceof File && !/json|form/.test(value);
    const chosen = original(choice);
    if (!keepsFile) oas3Actions.setRequestBodyValue({ value: undefined, pathMethod });
    return chosen;
  };
  return { statePlugins: { oas3: { wrapActions: { setRequestContentType } } } };
}

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  plugins: [freshBodies],
  requestInterceptor: withoutEmptyFields,
  responseInterceptor: emptyFields,
  tryItOutEnabled: true,
  validatorUrl: null,
});

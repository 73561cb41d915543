// Shows this service's OpenAPI document in Swagger UI. Loads nothing from other servers.

let described = false;

// Prepares the document at the start. Empties the fields of forms: Swagger UI fills each with a sample, and would send
// all of them.
function prepared(response) {
  if (described || !response.ok) return response;
  described = true;
  const description = JSON.parse(response.text);
  // Nobody can enter the cookie of a session: whoever has logged in has it, and the browser sends it by itself.
  delete description.components.securitySchemes.session;
  for (const operations of Object.values(description.paths)) {
    for (const operation of Object.values(operations)) {
      operation.security = operation.security?.filter((way) => !("session" in way));
      const form = operation.requestBody?.content["multipart/form-data"];
      Object.values(form?.schema.properties ?? {}).forEach(emptyField);
    }
  }
  response.text = JSON.stringify(description);
  return response;
}

function emptyField(field) {
  if (field.format === "binary") return;
  if (field.examples) field.description = `${field.description ?? ""} For example: ${field.examples.join(" or ")}.`;
  delete field.examples;
  delete field.contentMediaType; // Swagger UI would show a file chooser for it
  field.example = field.type === "array" ? [] : "";
}

// Removes empty fields from a request, so that the curl command shown has only the fields that the user filled in.
function withoutEmptyFields(request) {
  if (request.body instanceof FormData) {
    for (const [name, value] of [...request.body]) {
      if (value === "") request.body.delete(name);
    }
  }
  return request;
}

// When the user chooses another content type, starts with the example of that type: Swagger UI would show the form's
// values as JSON. Keeps a chosen file if the new content type is a file as well.
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
  url: document.getElementById("swagger-ui").dataset.openapi,
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  plugins: [freshBodies],
  requestInterceptor: withoutEmptyFields,
  responseInterceptor: prepared,
  tryItOutEnabled: true,
  validatorUrl: null,
});

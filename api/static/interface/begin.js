// Shows what openapi.json says; both lie beside the page, whatever stands before its address.
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("interface"),
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // By itself it asks a server elsewhere whether the description is valid.
  validatorUrl: null,
});

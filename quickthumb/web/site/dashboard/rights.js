// What the reader may do. The service checks it again; this only decides what is worth showing.

// Whether this session has a scope, such as "jobs:write".
export function may(session, scope) {
  return session.login === "not_needed" || session.scopes.includes(scope) || session.scopes.includes("admin");
}

// Whether it may see what concerns all tenants: a key of the operator's tenant with the scope `admin`.
export function operates(session) {
  return session.login === "not_needed" || (session.runs_deployment === true && session.scopes.includes("admin"));
}

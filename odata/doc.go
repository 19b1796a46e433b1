// Package odata is the language of the source, OData v3: it reads the path and the
// options of a URL into a checked Request, says what an expression of one gives for a
// row, and writes the forms of answers.
//
// Invariant: a Request that Model.Parse returns names only entities, fields, links and functions
// that exist, and each of its expressions has a type that fits its place. What is not
// understood is an *Error that says where and what is allowed; nothing is ignored.
//
// It follows the OData v3 URL conventions and MS-ODATA, and where these leave it open what
// ASP.NET Web API does, with which the source is made. It knows nothing of HTTP, of
// Postgres and of the source's faults.
package odata

// Package data is what requests are filled with: references such as ${users.id} in
// their texts, and the tables that these name. It parses and reads; package
// attack/fill puts the values in.
//
// # Language
//
// In the texts of a request that is Filled, ${SOURCE.NAME} or ${SOURCE.NAME(ARGUMENTS)}
// is a reference and $$ a dollar sign. Sources are the tables of the profile, earlier
// steps of a journey, and generators: random, time, request and fake.
package data

// Package importer reads what people have written for other tools into the
// vocabulary of profiles: files of targets in vegeta's formats ([ReadTargets],
// [Expand]). What it returns has passed the rules that a profile's own requests
// pass, and its errors name the file and the line. It sends nothing and follows
// no URL.
package importer

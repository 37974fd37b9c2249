// Package services holds the faulty services that scenarios start as processes of
// their own: [Run] runs one by its name, lab.Child starts one.
package services

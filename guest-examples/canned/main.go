// The component: its exports are in the folders export_*.
package main

//go:generate wit-bindgen go --world canned ../../wit

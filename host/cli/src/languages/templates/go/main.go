// The component: its exports are in the folders export_*, which call the package handler.
package main

//go:generate wit-bindgen go wit

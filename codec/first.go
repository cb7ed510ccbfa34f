package codec

import "reflect"

func (d *deriver) union(t reflect.Type, path string) (*node, error) {
	return nil, cannotEncode(path, t)
}
func (d *deriver) slice(t reflect.Type, path string) (*node, error) {
	return nil, cannotEncode(path, t)
}
func (d *deriver) array(t reflect.Type, path string) (*node, error) {
	return nil, cannotEncode(path, t)
}
func (d *deriver) mapping(t reflect.Type, path string) (*node, error) {
	return nil, cannotEncode(path, t)
}
func (d *deriver) fixed(t reflect.Type) *node { return nil }

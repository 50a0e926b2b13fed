/* record_making.c - what a record is made of by whoever calls its class: arguments, and defaults that are made each
 * time. */
#include "record.h"

#include "answer.h"

int
record_take_defaults(struct record_layout *layout, PyObject *defaults, PyObject *factories)
{
    PyObject  *field, *factory;
    Py_ssize_t place = 0;
    uint32_t   made = 0;

    if (!PyTuple_Check(defaults) || PyTuple_GET_SIZE(defaults) != layout->field_count || !PyDict_Check(factories)) {
        PyErr_SetString(PyExc_TypeError, "a default for each field, and a dict of what makes some");
        return -1;
    }
    while (PyDict_Next(factories, &place, &field, &factory)) {
        long number = PyLong_AsLong(field);

        if (number < 0 || number >= layout->field_count) {
            PyErr_SetString(PyExc_ValueError, "no such field");
            return -1;
        }
        made |= UINT32_C(1) << number;
    }
    Py_INCREF(defaults);
    Py_INCREF(factories);
    Py_XDECREF(layout->defaults);
    Py_XDECREF(layout->factories);
    layout->defaults = defaults;
    layout->factories = factories;
    layout->made = made;
    return 0;
}

static int
field_named(const struct record_layout *layout, PyObject *name)
{
    for (int i = 0; i < layout->field_count; i++)
        if (layout->names[i] == name)
            return i;
    for (int i = 0; i < layout->field_count; i++)
        if (PyUnicode_Check(name) && PyUnicode_Compare(layout->names[i], name) == 0)
            return i;
    return -1;
}

static void
drop_everything(record *self)
{
    struct answer *answer = self->answer;

    self->answer = NULL;
    self->in_dict = false;
    Py_CLEAR(self->dict);
    for (int i = 0; i < self->layout->field_count; i++)
        Py_CLEAR(self->cells[i]);
    answer_release(answer);
}

/* What the dataclass's own __init__ would do, without touching each field. */
int
record_init_object(PyObject *object, PyObject *args, PyObject *keywords)
{
    record                     *self = (record *) object;
    const struct record_layout *layout = self->layout;
    Py_ssize_t                  given = PyTuple_GET_SIZE(args);
    Py_ssize_t                  place = 0;
    PyObject                   *name, *value;

    if (layout->defaults == NULL) {
        PyErr_SetString(PyExc_TypeError, "the package knackdb has not been imported");
        return -1;
    }
    if (given > layout->field_count) {
        PyErr_Format(PyExc_TypeError, "%.100s() takes at most %d arguments, %zd were given", Py_TYPE(object)->tp_name,
                     layout->field_count, given);
        return -1;
    }
    drop_everything(self);
    for (Py_ssize_t i = 0; i < given; i++) {
        Py_INCREF(PyTuple_GET_ITEM(args, i));
        record_set_cell(self, (int) i, PyTuple_GET_ITEM(args, i));
    }
    while (keywords != NULL && PyDict_Next(keywords, &place, &name, &value)) {
        int field = field_named(layout, name);

        if (field < 0 || field < given) {
            PyErr_Format(PyExc_TypeError, field < 0 ? "%.100s() has no argument named %R" : "%.100s() got %R twice",
                         Py_TYPE(object)->tp_name, name);
            return -1;
        }
        Py_INCREF(value);
        record_set_cell(self, field, value);
    }
    place = 0;
    while (PyDict_Next(layout->factories, &place, &name, &value)) {
        int       field = (int) PyLong_AsLong(name);
        PyObject *made;

        if (self->cells[field] != NULL)
            continue;
        made = PyObject_CallNoArgs(value);
        if (made == NULL)
            return -1;
        record_set_cell(self, field, made);
    }
    return 0;
}

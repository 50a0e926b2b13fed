/* record.c - what the dataclasses are made of: see record.h.
 *
 * ExecutionPattern is a dataclass for everyone who looks: dataclasses.fields(), replace(), asdict(), equality, repr,
 * pickle. Its base class is written here, and holds each field in one of three places:
 *
 *     answer   the row as the store gave it; turned into an object when asked for
 *     cell     an object that was set, or a list or dict that was read: the owner may change it in place
 *     dict     everything, once somebody has asked for obj.__dict__: from then on that dict is the object
 *
 *     read:  in_dict ? dict : cell, else answer, else default          write:  in_dict ? dict : cell
 *
 * A field that was given nothing has no cell: its default stands in for it, as a class attribute does for a
 * dataclass's. So making one costs what its arguments cost; only lists, dicts and times are made each time.
 *
 * Numbers and strings read from an answer are made anew each time; only what can change in place is kept, so what
 * the owner does to it stays. Nothing that a row says is ever changed in the answer, so what one owner does no other
 * sees.
 *
 * Collector: a row fresh from an answer refers to no Python object but its class, so it is not tracked. It is tracked
 * from the moment it holds something that could lead back to it: ten thousand rows retrieved cost the collector
 * nothing. Ownership: an object shares its answer, and owns its cells and dict. */
#include "record.h"

#include "answer.h"

#include <structmember.h>

#define RECORD_NAME(number, name) name,
static const char *pattern_field_names[] = { PATTERN_FIELDS(RECORD_NAME) };
static const char *metric_field_names[] = { METRIC_FIELDS(RECORD_NAME) };
static const char *filter_field_names[] = { FILTER_FIELDS(RECORD_NAME) };
#undef RECORD_NAME

static PyObject *pattern_names[PATTERN_FIELD_COUNT];
static PyObject *metric_names[METRIC_FIELD_COUNT];
static PyObject *filter_names[FILTER_FIELD_COUNT];

struct record_layout pattern_layout = {
    PATTERN_FIELD_COUNT, pattern_field_names, pattern_names, NULL, NULL, 0, answer_pattern_field, { 0 }
};
struct record_layout metric_layout = {
    METRIC_FIELD_COUNT, metric_field_names, metric_names, NULL, NULL, 0, answer_metric_field, { 0 }
};
struct record_layout filter_layout = {
    FILTER_FIELD_COUNT, filter_field_names, filter_names, NULL, NULL, 0, NULL, { 0 }
};

static void
track(record *self)
{
    if (!PyObject_GC_IsTracked((PyObject *) self))
        PyObject_GC_Track(self);
}

void
record_set_cell(record *self, int field, PyObject *value)
{
    PyObject *old = self->cells[field];

    if (PyObject_IS_GC(value))
        track(self);
    self->cells[field] = value;
    Py_XDECREF(old);
}

/* A default that is no object to be made; NULL with AttributeError for the others. */
static PyObject *
default_of(const struct record_layout *layout, int field)
{
    PyObject *value;

    if (layout->defaults == NULL || layout->made & UINT32_C(1) << field) {
        PyErr_SetObject(PyExc_AttributeError, layout->names[field]);
        return NULL;
    }
    value = PyTuple_GET_ITEM(layout->defaults, field);
    Py_INCREF(value);
    return value;
}

static PyObject *
get_from_dict(record *self, int field)
{
    PyObject *dict = self->dict;
    PyObject *value = NULL;

    if (dict != NULL) {
        Py_INCREF(dict); /* comparing keys may run code that gives the record another */
        value = PyDict_GetItemWithError(dict, self->layout->names[field]);
        Py_XINCREF(value);
        Py_DECREF(dict);
    }
    if (value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_AttributeError, self->layout->names[field]);
    return value;
}

static PyObject *
get_field(record *self, int field)
{
    PyObject      *value;
    struct answer *answer;

    if (self->in_dict)
        return get_from_dict(self, field);
    value = self->cells[field];
    if (value != NULL) {
        Py_INCREF(value);
        return value;
    }
    if (self->answer == NULL)
        return default_of(self->layout, field);
    answer = answer_share(self->answer); /* reading JSON may run Python code, after which the record has it no more */
    value = self->layout->field(answer, self->index, field);
    answer_release(answer);
    if (value != NULL && PyObject_IS_GC(value)) {
        /* The field may have been set meanwhile: what was set holds. */
        if (self->in_dict || self->cells[field] != NULL) {
            Py_DECREF(value);
            return get_field(self, field);
        }
        Py_INCREF(value);
        record_set_cell(self, field, value);
    }
    return value;
}

static PyObject *
copy_of_dict(record *self)
{
    PyObject *dict = self->dict, *copy;

    if (dict == NULL)
        return PyDict_New();
    Py_INCREF(dict); /* making the copy may run the collector, and that any code */
    copy = PyDict_Copy(dict);
    Py_DECREF(dict);
    return copy;
}

/* Everything as a new dict: the fields that are there, then what else was set. */
static PyObject *
all_attributes(record *self)
{
    PyObject *dict, *others;

    if (self->in_dict)
        return copy_of_dict(self);
    dict = PyDict_New();
    for (int i = 0; dict != NULL && i < self->layout->field_count; i++) {
        PyObject *value;

        value = get_field(self, i);
        if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) { /* made by nobody's __init__ */
            PyErr_Clear();
            continue;
        }
        if (value == NULL || PyDict_SetItem(dict, self->layout->names[i], value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    others = self->dict;
    Py_XINCREF(others); /* as in copy_of_dict() */
    if (dict != NULL && others != NULL && PyDict_Update(dict, others) < 0)
        Py_CLEAR(dict);
    Py_XDECREF(others);
    return dict;
}

static void
move_into_dict(record *self, PyObject *dict) /* steals dict */
{
    PyObject      *old = self->dict;
    struct answer *answer = self->answer;

    track(self);
    self->dict = dict;
    self->in_dict = true;
    self->answer = NULL;
    for (int i = 0; i < self->layout->field_count; i++)
        Py_CLEAR(self->cells[i]);
    answer_release(answer);
    Py_XDECREF(old);
}

/* From now on its dict is the record. */
static int
become_dict(record *self)
{
    PyObject *dict;

    if (self->in_dict)
        return 0;
    dict = all_attributes(self);
    if (dict == NULL)
        return -1;
    if (self->in_dict) /* by what ran meanwhile, which may hold that dict already */
        Py_DECREF(dict);
    else
        move_into_dict(self, dict);
    return 0;
}

/* NULL takes the field away. */
static int
set_in_dict(record *self, int field, PyObject *value)
{
    PyObject *name = self->layout->names[field], *dict;
    int       status;

    if (self->dict == NULL && (self->dict = PyDict_New()) == NULL)
        return -1;
    dict = self->dict;
    Py_INCREF(dict); /* as in get_from_dict() */
    status = value != NULL ? PyDict_SetItem(dict, name, value) : PyDict_DelItem(dict, name);
    Py_DECREF(dict);
    if (status < 0 && value == NULL && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_SetObject(PyExc_AttributeError, name);
    return status;
}

static PyObject *
record_get_field(PyObject *self, void *closure)
{
    return get_field((record *) self, (int) (intptr_t) closure);
}

static int
record_set_field(PyObject *object, PyObject *value, void *closure)
{
    record *self = (record *) object;
    int     field = (int) (intptr_t) closure;

    if (value != NULL && !self->in_dict) {
        Py_INCREF(value);
        record_set_cell(self, field, value);
        return 0;
    }
    if (become_dict(self) < 0) /* a field that is gone is what only a dict can say */
        return -1;
    return set_in_dict(self, field, value);
}

/* What is set beside the fields lands in a dict of the generic kind's making, and from there may lead back here. */
static int
record_setattro(PyObject *object, PyObject *name, PyObject *value)
{
    record *self = (record *) object;
    int     status = PyObject_GenericSetAttr(object, name, value);

    if (self->dict != NULL)
        track(self);
    return status;
}

static PyObject *
record_get_dict(PyObject *object, void *closure)
{
    record *self = (record *) object;

    (void) closure;
    if (become_dict(self) < 0)
        return NULL;
    if (self->dict == NULL && (self->dict = PyDict_New()) == NULL)
        return NULL;
    Py_INCREF(self->dict);
    return self->dict;
}

static int
record_set_dict(PyObject *object, PyObject *value, void *closure)
{
    (void) closure;
    if (value == NULL || !PyDict_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "__dict__ must be a dict");
        return -1;
    }
    Py_INCREF(value);
    move_into_dict((record *) object, value);
    return 0;
}

static PyObject *
record_getstate(PyObject *self, PyObject *ignored)
{
    (void) ignored;
    return all_attributes((record *) self);
}

static PyObject *
record_setstate(PyObject *self, PyObject *state)
{
    PyObject  *name, *value;
    Py_ssize_t place = 0;

    if (!PyDict_Check(state)) {
        PyErr_SetString(PyExc_TypeError, "the state of a record is a dict");
        return NULL;
    }
    state = PyDict_Copy(state); /* setting may run code that changes it */
    if (state == NULL)
        return NULL;
    while (PyDict_Next(state, &place, &name, &value))
        if (PyObject_SetAttr(self, name, value) < 0) {
            Py_DECREF(state);
            return NULL;
        }
    Py_DECREF(state);
    Py_RETURN_NONE;
}

/* (copyreg.__newobj__, (class,), state): so that copy, deepcopy and pickle keep subclasses, what was added, and
 * cycles. */
static PyObject *
record_reduce(PyObject *self, PyObject *protocol)
{
    PyObject *copyreg = PyImport_ImportModule("copyreg");
    PyObject *newobj = NULL, *state = NULL, *result = NULL;

    (void) protocol;
    if (copyreg != NULL)
        newobj = PyObject_GetAttrString(copyreg, "__newobj__");
    if (newobj != NULL)
        state = PyObject_CallMethod(self, "__getstate__", NULL);
    if (state != NULL)
        result = Py_BuildValue("O(O)O", newobj, Py_TYPE(self), state);
    Py_XDECREF(copyreg);
    Py_XDECREF(newobj);
    Py_XDECREF(state);
    return result;
}

static int
record_traverse(PyObject *object, visitproc visit, void *arg)
{
    record *self = (record *) object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->dict);
    for (int i = 0; self->layout != NULL && i < self->layout->field_count; i++)
        Py_VISIT(self->cells[i]);
    return 0;
}

static int
record_clear(PyObject *object)
{
    record *self = (record *) object;

    Py_CLEAR(self->dict);
    for (int i = 0; self->layout != NULL && i < self->layout->field_count; i++)
        Py_CLEAR(self->cells[i]);
    return 0;
}

static void
record_dealloc(PyObject *object)
{
    record       *self = (record *) object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    (void) record_clear(object);
    answer_release(self->answer);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *
new_record(PyTypeObject *type, const struct record_layout *layout)
{
    record *self = (record *) type->tp_alloc(type, 0);

    if (self != NULL)
        self->layout = layout;
    return (PyObject *) self;
}

static PyObject *
pattern_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void) args, (void) keywords;
    return new_record(type, &pattern_layout);
}

static PyObject *
metric_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void) args, (void) keywords;
    return new_record(type, &metric_layout);
}

static PyObject *
filter_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void) args, (void) keywords;
    return new_record(type, &filter_layout);
}

PyObject *
record_of_row(PyTypeObject *type, const struct record_layout *layout, struct answer *answer, size_t index)
{
    record *self = (record *) type->tp_alloc(type, 0);

    if (self == NULL)
        return NULL;
    PyObject_GC_UnTrack(self);
    self->layout = layout;
    self->answer = answer_share(answer);
    self->index = (uint32_t) index;
    return (PyObject *) self;
}

void
record_meet(struct record_layout *layout, PyTypeObject *ours, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    if (type != ours && !attribute_places_hold(&layout->places, type))
        attribute_places_learn(&layout->places, type, layout->names, layout->field_count);
}

PyObject *
record_get(const struct record_layout *layout, PyTypeObject *ours, PyObject *object, int field)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject *value;

    /* Exactly ours: nobody can have put a property over the field. */
    if (type == ours)
        return get_field((record *) object, field);
    value = attribute_places_get(&layout->places, object, layout->names[field], field);
    if (value != NULL || PyErr_Occurred() != NULL)
        return value;
    /* What PyObject_GetAttr() would do once it had looked whether the name is a str. */
    return type->tp_getattro != NULL ? type->tp_getattro(object, layout->names[field])
                                     : PyObject_GetAttr(object, layout->names[field]);
}

static PyMemberDef record_members[] = {
    { "__dictoffset__", T_PYSSIZET, offsetof(record, dict), READONLY, NULL },
    { "__weaklistoffset__", T_PYSSIZET, offsetof(record, weakrefs), READONLY, NULL },
    { NULL, 0, 0, 0, NULL },
};

static PyMethodDef record_methods[] = {
    { "__getstate__", record_getstate, METH_NOARGS, "All attributes, as a new dict." },
    { "__setstate__", record_setstate, METH_O, "Sets attributes from a dict." },
    { "__reduce_ex__", record_reduce, METH_O, "For pickle and copy." },
    { NULL, NULL, 0, NULL },
};

#define RECORD_ATTRIBUTE(number, name) { name, record_get_field, record_set_field, NULL, (void *) (intptr_t) number },
#define RECORD_DICT                                               \
    { "__dict__", record_get_dict, record_set_dict, NULL, NULL }, \
    {                                                             \
        NULL, NULL, NULL, NULL, NULL                              \
    }
static PyGetSetDef pattern_attributes[] = { PATTERN_FIELDS(RECORD_ATTRIBUTE) RECORD_DICT };
static PyGetSetDef metric_attributes[] = { METRIC_FIELDS(RECORD_ATTRIBUTE) RECORD_DICT };
static PyGetSetDef filter_attributes[] = { FILTER_FIELDS(RECORD_ATTRIBUTE) RECORD_DICT };
#undef RECORD_ATTRIBUTE
#undef RECORD_DICT

static int
add_type(PyObject *module, const char *name, struct record_layout *layout, newfunc create, PyGetSetDef *attributes)
{
    PyType_Slot slots[] = {
        { Py_tp_new, create },
        { Py_tp_init, record_init_object },
        { Py_tp_dealloc, record_dealloc },
        { Py_tp_traverse, record_traverse },
        { Py_tp_clear, record_clear },
        { Py_tp_setattro, record_setattro },
        { Py_tp_getset, attributes },
        { Py_tp_members, record_members },
        { Py_tp_methods, record_methods },
        { 0, NULL },
    };
    PyType_Spec spec = {
        .name = name,
        .basicsize = (int) (offsetof(record, cells) + (size_t) layout->field_count * sizeof(PyObject *)),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    PyObject *type;

    for (int i = 0; i < layout->field_count; i++) {
        layout->names[i] = PyUnicode_InternFromString(layout->field_names[i]);
        if (layout->names[i] == NULL)
            return -1;
    }
    type = PyType_FromSpec(&spec);
    if (type == NULL)
        return -1;
    return PyModule_AddObject(module, strchr(name, '.') + 1, type);
}

int
record_init(PyObject *module)
{
    if (add_type(module, "_knackdb.PatternRecord", &pattern_layout, pattern_new, pattern_attributes) < 0 ||
        add_type(module, "_knackdb.MetricRecord", &metric_layout, metric_new, metric_attributes) < 0)
        return -1;
    return add_type(module, "_knackdb.FilterRecord", &filter_layout, filter_new, filter_attributes);
}

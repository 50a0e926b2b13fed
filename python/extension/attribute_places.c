/* attribute_places.c - see attribute_places.h.
 *
 * Most of what PyObject_GetAttr() does is to find out again what was true for the object before: that the class has
 * no property of that name, and that its objects keep the value in their dict, or in a slot. A class has a version
 * number, which changes with whatever is done to it or to its bases. So while the number is the same, what was found
 * out holds, and the value is taken from where it lies. Nothing is assumed of the object: it may have been given a
 * dict since the last attribute, and may lack the attribute; then it is asked, and answers or raises as ever.
 *
 * CPython 3.11 gives most objects no dict until somebody wants one, but an array of values whose names the class
 * keeps. Its headers for the interpreter's own parts say where; they are used for that version alone, and names never
 * leave the list nor change their place in it. Other versions keep such values elsewhere, and their objects are asked
 * unless they have slots or, up to 3.10, the dict itself in place. */
#include <patchlevel.h>

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000
#define HAS_SHARED_VALUES    1
#define Py_BUILD_CORE_MODULE 1 /* to be there before Python.h is */
#else
#define HAS_SHARED_VALUES 0
#endif

#include "attribute_places.h"

#include <structmember.h>

#if HAS_SHARED_VALUES
#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>
#endif

/* The dict or the values of an object, whichever it has. */
struct instance {
    PyObject  *dict;
    PyObject **values;
};

#if HAS_SHARED_VALUES

static int
has_instance(const PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0;
}

static struct instance
instance_of(PyObject *object)
{
    PyDictValues *values = *_PyObject_ValuesPointer(object);

    return (struct instance) {
        .dict = *_PyObject_ManagedDictPointer(object),
        .values = values != NULL ? values->values : NULL,
    };
}

static const void *
keys_of(PyTypeObject *type)
{
    return has_instance(type) ? ((PyHeapTypeObject *) type)->ht_cached_keys : NULL;
}

/* -1 where no object of the class has had it yet. */
static Py_ssize_t
value_named(PyTypeObject *type, PyObject *name)
{
    PyDictKeysObject *keys = ((PyHeapTypeObject *) type)->ht_cached_keys;

    if (keys == NULL || keys->dk_kind != DICT_KEYS_SPLIT)
        return -1;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (DK_UNICODE_ENTRIES(keys)[i].me_key == name)
            return i;
    return -1;
}

#else

static int
has_instance(const PyTypeObject *type)
{
    return PY_VERSION_HEX < 0x030B0000 && type->tp_dictoffset > 0;
}

static struct instance
instance_of(PyObject *object)
{
    return (struct instance) { .dict = *(PyObject **) (void *) ((char *) object + Py_TYPE(object)->tp_dictoffset) };
}

static const void *
keys_of(PyTypeObject *type)
{
    (void) type;
    return NULL;
}

static Py_ssize_t
value_named(PyTypeObject *type, PyObject *name)
{
    (void) type, (void) name;
    return -1;
}

#endif

static void
learn_one(struct attribute_places *places, PyTypeObject *type, PyObject *name, int field)
{
    PyObject *found = _PyType_Lookup(type, name); /* borrowed */

    places->kinds[field] = ATTRIBUTE_ASKED;
    if (found == NULL || Py_TYPE(found)->tp_descr_set == NULL) {
        if (!has_instance(type))
            return;
        places->kinds[field] = ATTRIBUTE_OF_DICT; /* comes before what the class has under that name */
        places->at[field] = value_named(type, name);
    } else if (Py_TYPE(found) == &PyMemberDescr_Type) {
        const PyMemberDescrObject *descriptor = (const PyMemberDescrObject *) found;

        if (descriptor->d_member->type != T_OBJECT_EX || descriptor->d_member->flags != 0 ||
            !PyType_IsSubtype(type, descriptor->d_common.d_type))
            return;
        places->kinds[field] = ATTRIBUTE_SLOT;
        places->at[field] = descriptor->d_member->offset;
    }
}

void
attribute_places_learn(struct attribute_places *places, PyTypeObject *type, PyObject *const *names, int count)
{
    places->version = 0;
    if (type->tp_getattro != PyObject_GenericGetAttr || (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0)
        return;
    places->keys = keys_of(type);
    for (int i = 0; i < count; i++)
        learn_one(places, type, names[i], i);
    if (PyErr_Occurred() != NULL)
        PyErr_Clear(); /* of looking alone; what is wrong comes up again where it is asked for */
    else if ((type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG) != 0)
        places->version = type->tp_version_tag; /* looking gave it one, where there was one left to give */
}

static PyObject *
of_dict(PyObject *dict, PyObject *name)
{
    PyObject *value;

    Py_INCREF(dict); /* comparing keys may run code that throws it away */
    value = PyDict_GetItemWithError(dict, name);
    Py_XINCREF(value);
    Py_DECREF(dict);
    return value;
}

PyObject *
attribute_places_get(const struct attribute_places *places, PyObject *object, PyObject *name, int field)
{
    PyTypeObject   *type = Py_TYPE(object);
    PyObject       *value = NULL;
    struct instance instance;

    if (!attribute_places_hold(places, type))
        return NULL;
    switch (places->kinds[field]) {
    case ATTRIBUTE_SLOT: value = *(PyObject **) (void *) ((char *) object + places->at[field]); break;
    case ATTRIBUTE_OF_DICT:
        instance = instance_of(object);
        if (instance.dict != NULL)
            return of_dict(instance.dict, name);
        if (instance.values != NULL && places->at[field] >= 0 && places->keys == keys_of(type))
            value = instance.values[places->at[field]];
        break;
    default: break;
    }
    Py_XINCREF(value);
    return value;
}

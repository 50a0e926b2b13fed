/* attribute_places.h - where the objects of a class keep their attributes, found out once for many objects. */
#ifndef PYTHON_ATTRIBUTE_PLACES_H
#define PYTHON_ATTRIBUTE_PLACES_H

#include <Python.h>

#include <stdint.h>

#define ATTRIBUTE_PLACES_MAX 32

enum attribute_kind {
    ATTRIBUTE_ASKED,  /* as everybody would: the class has a say in it */
    ATTRIBUTE_SLOT,   /* of __slots__: `at` bytes into the object */
    ATTRIBUTE_OF_DICT /* of the object's own dict; where it keeps none yet, the `at`-th of its values */
};

struct attribute_places {
    unsigned    version; /* the class's, which no other class ever has and no change to it leaves; 0: of no class */
    const void *keys;    /* the names of the values, which all its objects share */
    uint8_t     kinds[ATTRIBUTE_PLACES_MAX];
    Py_ssize_t  at[ATTRIBUTE_PLACES_MAX];
};

static inline int
attribute_places_hold(const struct attribute_places *places, const PyTypeObject *type)
{
    return places->version != 0 && places->version == type->tp_version_tag &&
           (type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG) != 0;
}

/* Makes the places those of this class; where they cannot be known, of none. */
void attribute_places_learn(struct attribute_places *places, PyTypeObject *type, PyObject *const *names, int count);

/* The attribute as a new reference. NULL without an exception where it is to be asked for as everybody would. */
PyObject *attribute_places_get(const struct attribute_places *places, PyObject *object, PyObject *name, int field);

#endif

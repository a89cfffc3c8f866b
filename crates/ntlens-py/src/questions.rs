//! The registry of questions as Python sees it: what there is, and how keyword arguments become a question's own.

use ntlens::report::{Argument, Arguments, Form, Heading, Parameter, QUESTIONS, Question};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

/// The questions, each with its parameters and columns: what methods of `Dump` are made from.
#[pyfunction]
pub(crate) fn questions(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let all = QUESTIONS.iter().map(|question| {
        let about = PyDict::new(py);
        about.set_item("name", question.name())?;
        about.set_item("about", question.about())?;
        let columns = question.columns().iter().map(|column| describe_column(py, column)).collect::<PyResult<Vec<_>>>();
        about.set_item("columns", columns?)?;
        let parameters = question.parameters().iter().map(|one| describe_parameter(py, one));
        about.set_item("parameters", parameters.collect::<PyResult<Vec<_>>>()?)?;
        Ok(about)
    });
    PyList::new(py, all.collect::<PyResult<Vec<_>>>()?)
}

fn describe_column<'py>(py: Python<'py>, column: &Heading) -> PyResult<Bound<'py, PyDict>> {
    let about = PyDict::new(py);
    about.set_item("name", column.name)?;
    about.set_item("kind", format!("{:?}", column.kind).to_lowercase())?;
    about.set_item("about", column.about)?;
    Ok(about)
}

fn describe_parameter<'py>(py: Python<'py>, parameter: &Parameter) -> PyResult<Bound<'py, PyDict>> {
    let (form, value) = match parameter.form {
        Form::Flag => ("flag", String::new()),
        Form::Number(value) => ("number", value.into()),
        Form::Text(value) => ("text", value.into()),
        Form::Position(value) => ("position", value.into()),
        Form::Choice(values) => ("choice", values.join(", ")),
    };
    let about = PyDict::new(py);
    about.set_item("name", python_name(parameter))?;
    about.set_item("form", form)?;
    about.set_item("value", value)?;
    about.set_item("about", parameter.about)?;
    Ok(about)
}

/// A parameter's name where no dash may stand in it.
fn python_name(parameter: &Parameter) -> String {
    parameter.name.replace('-', "_")
}

/// A question by its name.
pub(crate) fn question(name: &str) -> PyResult<&'static dyn Question> {
    ntlens::report::question(name).ok_or_else(|| {
        let names: Vec<_> = QUESTIONS.iter().map(|question| question.name()).collect();
        PyValueError::new_err(format!("no question is named {name:?}; there are {}", names.join(", ")))
    })
}

/// What was given for a question's parameters. None is as if nothing were given.
pub(crate) fn arguments(
    question: &dyn Question,
    positions: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Arguments> {
    let name = question.name();
    let parameters = question.parameters();
    let by_position: Vec<_> = parameters.iter().filter(|one| matches!(one.form, Form::Position(_))).collect();
    if positions.len() > by_position.len() {
        let (most, given) = (by_position.len(), positions.len());
        return Err(PyTypeError::new_err(format!("{name}() takes {most} positional arguments, {given} were given")));
    }
    let mut arguments = Arguments::default();
    let mut given: Vec<&str> = Vec::new();
    let mut take = |parameter: &'static Parameter, value: &Bound<'_, PyAny>| {
        if given.contains(&parameter.name) {
            return Err(PyTypeError::new_err(format!("{name}() got {} twice", python_name(parameter))));
        }
        given.push(parameter.name);
        if let Some(value) = argument(parameter, value)? {
            arguments = std::mem::take(&mut arguments).with(parameter.name, value);
        }
        Ok(())
    };
    for (parameter, value) in by_position.into_iter().zip(positions) {
        take(parameter, &value)?;
    }
    for (key, value) in keywords.into_iter().flatten() {
        let key = key.extract::<String>()?;
        let parameter = parameters
            .iter()
            .find(|one| python_name(one) == key)
            .ok_or_else(|| PyTypeError::new_err(format!("{name}() got an unexpected keyword argument '{key}'")))?;
        take(parameter, &value)?;
    }
    Ok(arguments)
}

fn argument(parameter: &Parameter, value: &Bound<'_, PyAny>) -> PyResult<Option<Argument>> {
    if value.is_none() {
        return Ok(None);
    }
    match parameter.form {
        Form::Flag => Ok(value.extract::<bool>()?.then_some(Argument::Flag)),
        Form::Number(_) => Ok(Some(Argument::Number(value.extract()?))),
        Form::Choice(values) => {
            let chosen = value.extract::<String>()?;
            if !values.contains(&chosen.as_str()) {
                let (name, all) = (python_name(parameter), values.join(", "));
                return Err(PyValueError::new_err(format!("{name} is one of {all}, not {chosen:?}")));
            }
            Ok(Some(Argument::Text(chosen)))
        }
        Form::Text(of) | Form::Position(of) => match value.extract::<u64>() {
            // An address, as a command line writes it.
            Ok(address) if of.contains("ADDRESS") => Ok(Some(Argument::Text(format!("{address:#x}")))),
            _ => Ok(Some(Argument::Text(value.extract()?))),
        },
    }
}
